-- tries:    to break a message with its own type name
-- code:     ExecutionFailed
-- message:  attempt to perform arithmetic
return {
  name = "escape-name-field",
  version = "1.0.0",
  run = function(input, ctx)
    return {} + setmetatable({}, { __name = ("x"):rep(100000) })
  end,
}
