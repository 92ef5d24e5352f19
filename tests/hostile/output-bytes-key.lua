-- tries:    a key that is not UTF-8
-- code:     ExecutionFailed
-- message:  UTF-8
return {
  name = "output-bytes-key",
  version = "1.0.0",
  run = function(input, ctx)
    return { ["\xff"] = 1 }
  end,
}
