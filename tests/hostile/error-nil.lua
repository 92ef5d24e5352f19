-- tries:    an error without a value
-- code:     ExecutionFailed
-- message:  without a value
return {
  name = "error-nil",
  version = "1.0.0",
  run = function(input, ctx)
    error(nil)
  end,
}
