-- tries:    an error that would write to a terminal
-- code:     ExecutionFailed
-- message:  .
return {
  name = "error-controls",
  version = "1.0.0",
  run = function(input, ctx)
    error("\27[2J\7", 0)
  end,
}
