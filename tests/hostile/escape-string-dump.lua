-- tries:    to see bytecode
-- status:   completed
-- output:   [true,true,true]
return {
  name = "escape-string-dump",
  version = "1.0.0",
  run = function(input, ctx)
    return { string.dump == nil, ("").dump == nil, pcall(function() return string.dump(print) end) == false }
  end,
}
