-- tries:    keys that are no texts
-- code:     ExecutionFailed
-- message:  output
return {
  name = "output-boolean-keys",
  version = "1.0.0",
  run = function(input, ctx)
    return { [true] = 1 }
  end,
}
