-- tries:    details larger than an output
-- code:     ExecutionFailed|ResourceExhausted
-- message:  .
-- limits:   outputBytes=65536
return {
  name = "error-details-huge",
  version = "1.0.0",
  run = function(input, ctx)
    error { code = "ExecutionFailed", message = "m", details = { a = ("x"):rep(100000) } }
  end,
}
