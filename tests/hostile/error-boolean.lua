-- tries:    an error that is a boolean
-- code:     ExecutionFailed
-- message:  false
return {
  name = "error-boolean",
  version = "1.0.0",
  run = function(input, ctx)
    error(false)
  end,
}
