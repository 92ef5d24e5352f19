-- tries:    an array of which nobody knows the length
-- code:     ExecutionFailed
-- message:  output
return {
  name = "output-sparse",
  version = "1.0.0",
  run = function(input, ctx)
    return { [1] = 1, [1 << 40] = 2 }
  end,
}
