-- tries:    text that only looks like UTF-8
-- code:     ExecutionFailed
-- message:  output.* UTF-8
return {
  name = "output-surrogate",
  version = "1.0.0",
  run = function(input, ctx)
    return "\u{D800}"
  end,
}
