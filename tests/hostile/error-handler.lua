-- tries:    an error in the error handler
-- code:     ExecutionFailed
-- message:  after
return {
  name = "error-handler",
  version = "1.0.0",
  run = function(input, ctx)
    xpcall(error, function() error("in the handler") end, "x")
    error("after", 0)
  end,
}
