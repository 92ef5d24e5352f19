-- tries:    keys of two kinds
-- code:     ExecutionFailed
-- message:  output.x
return {
  name = "output-mixed",
  version = "1.0.0",
  run = function(input, ctx)
    return { x = { 1, 2, y = 3 } }
  end,
}
