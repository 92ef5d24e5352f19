-- tries:    to take the protection off a host table
-- code:     ExecutionFailed
-- message:  cannot change a protected metatable
return {
  name = "escape-setmetatable-host",
  version = "1.0.0",
  run = function(input, ctx)
    setmetatable(string, nil)
  end,
}
