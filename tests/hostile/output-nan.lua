-- tries:    no number
-- code:     ExecutionFailed
-- message:  output.a\[1\]
return {
  name = "output-nan",
  version = "1.0.0",
  run = function(input, ctx)
    return { a = { 0 / 0 } }
  end,
}
