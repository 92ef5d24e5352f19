-- tries:    an error whose __tostring gives a table
-- code:     ExecutionFailed
-- message:  __tostring
return {
  name = "error-tostring-wrong",
  version = "1.0.0",
  run = function(input, ctx)
    error(setmetatable({}, { __tostring = function() return {} end }))
  end,
}
