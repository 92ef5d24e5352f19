-- tries:    a width beyond what is allowed
-- code:     ExecutionFailed
-- message:  invalid conversion
return {
  name = "overflow-format-width",
  version = "1.0.0",
  run = function(input, ctx)
    return string.format("%100d", 1)
  end,
}
