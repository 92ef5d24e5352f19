-- tries:    an array with a hole
-- code:     ExecutionFailed
-- message:  output.x
return {
  name = "output-holes",
  version = "1.0.0",
  run = function(input, ctx)
    return { x = { 1, nil, 3 } }
  end,
}
