-- tries:    more directives than arguments
-- code:     ExecutionFailed
-- message:  bad argument #3
return {
  name = "overflow-format-arguments",
  version = "1.0.0",
  run = function(input, ctx)
    return string.format(("%d"):rep(200), 1)
  end,
}
