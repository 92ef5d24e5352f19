-- tries:    an error of megabytes
-- code:     ExecutionFailed|ResourceExhausted
-- message:  .
-- limits:   memoryMb=16
return {
  name = "memory-error",
  version = "1.0.0",
  run = function(input, ctx)
    error(("x"):rep(4 << 20))
  end,
}
