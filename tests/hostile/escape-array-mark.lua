-- tries:    to get at the metatable that marks arrays
-- status:   completed
-- output:   [true,false]
return {
  name = "escape-array-mark",
  version = "1.0.0",
  run = function(input, ctx)
    local marked = c9.json.decode("[1]")
    local fine = pcall(function() getmetatable(marked).__index = print end)
    return { getmetatable(marked) == nil, fine }
  end,
}
