-- tries:    an error that is a number
-- code:     ExecutionFailed
-- message:  42
return {
  name = "error-number",
  version = "1.0.0",
  run = function(input, ctx)
    error(42)
  end,
}
