-- tries:    an error with a code of its own
-- code:     ExecutionFailed
-- message:  mine
-- details:  code=MyOwnError
return {
  name = "error-code-unknown",
  version = "1.0.0",
  run = function(input, ctx)
    error { code = "MyOwnError", message = "mine", details = { n = 1 } }
  end,
}
