-- tries:    an error whose __index fails
-- code:     ExecutionFailed
-- message:  shown
return {
  name = "error-index-fails",
  version = "1.0.0",
  run = function(input, ctx)
    error(setmetatable({}, { __index = function() error("x") end, __tostring = function() return "shown" end }))
  end,
}
