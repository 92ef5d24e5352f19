-- tries:    sizes beyond integers
-- code:     ExecutionFailed
-- message:  integral size \(17\) out of limits
return {
  name = "overflow-pack",
  version = "1.0.0",
  run = function(input, ctx)
    return string.pack("I17", 1)
  end,
}
