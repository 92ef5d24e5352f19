-- tries:    an error whose __tostring fails
-- code:     ExecutionFailed
-- message:  __tostring fails
return {
  name = "error-tostring-fails",
  version = "1.0.0",
  run = function(input, ctx)
    error(setmetatable({}, { __tostring = function() error("again") end }))
  end,
}
