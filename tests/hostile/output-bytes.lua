-- tries:    text that is not UTF-8
-- code:     ExecutionFailed
-- message:  output.a\[2\].* UTF-8
return {
  name = "output-bytes",
  version = "1.0.0",
  run = function(input, ctx)
    return { a = { "fine", "\xff\xfe" } }
  end,
}
