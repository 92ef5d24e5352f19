-- tries:    the same without an argument
-- code:     ExecutionFailed
-- message:  without a value
return {
  name = "error-nil-raised",
  version = "1.0.0",
  run = function(input, ctx)
    error()
  end,
}
