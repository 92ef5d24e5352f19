-- tries:    an error that is not UTF-8
-- code:     ExecutionFailed
-- message:  a
return {
  name = "error-bytes",
  version = "1.0.0",
  run = function(input, ctx)
    error("a\xff\xfeb\0c", 0)
  end,
}
