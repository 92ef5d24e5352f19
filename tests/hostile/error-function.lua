-- tries:    an error that is a function
-- code:     ExecutionFailed
-- message:  function#
return {
  name = "error-function",
  version = "1.0.0",
  run = function(input, ctx)
    error(print)
  end,
}
