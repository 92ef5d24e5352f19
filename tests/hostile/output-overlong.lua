-- tries:    an overlong form
-- code:     ExecutionFailed
-- message:  output.* UTF-8
return {
  name = "output-overlong",
  version = "1.0.0",
  run = function(input, ctx)
    return "\xc0\xaf"
  end,
}
