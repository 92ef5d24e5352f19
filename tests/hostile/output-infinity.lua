-- tries:    no finite number
-- code:     ExecutionFailed
-- message:  output.a.b
return {
  name = "output-infinity",
  version = "1.0.0",
  run = function(input, ctx)
    return { a = { b = -1 / 0 } }
  end,
}
