-- tries:    to change the metatable that all strings share
-- code:     ExecutionFailed
-- message:  attempt to index a string value
return {
  name = "escape-string-metatable",
  version = "1.0.0",
  run = function(input, ctx)
    local meta = getmetatable("")
    meta.__add = function() return 1 end
  end,
}
