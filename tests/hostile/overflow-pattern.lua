-- tries:    a pattern that recurses
-- code:     ExecutionFailed
-- message:  pattern too complex
return {
  name = "overflow-pattern",
  version = "1.0.0",
  run = function(input, ctx)
    return ("x"):rep(300000):match((".?"):rep(300000))
  end,
}
