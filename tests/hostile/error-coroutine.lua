-- tries:    an error that is a coroutine
-- code:     ExecutionFailed
-- message:  thread#
return {
  name = "error-coroutine",
  version = "1.0.0",
  run = function(input, ctx)
    error(coroutine.create(print))
  end,
}
