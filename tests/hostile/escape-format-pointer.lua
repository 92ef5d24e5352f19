-- tries:    to print a pointer
-- code:     ExecutionFailed
-- message:  %p is not available
return {
  name = "escape-format-pointer",
  version = "1.0.0",
  run = function(input, ctx)
    return string.format("%p", {})
  end,
}
