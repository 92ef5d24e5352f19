-- tries:    a capture that is not there
-- code:     ExecutionFailed
-- message:  invalid capture index %9
return {
  name = "overflow-gsub-capture",
  version = "1.0.0",
  run = function(input, ctx)
    return ("x"):gsub("x", "%9")
  end,
}
