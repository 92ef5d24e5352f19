-- tries:    a message that is no text
-- code:     ExecutionFailed
-- message:  .
return {
  name = "error-message-type",
  version = "1.0.0",
  run = function(input, ctx)
    error { code = "ExecutionFailed", message = { 1 } }
  end,
}
