-- tries:    a character that does not exist
-- code:     ExecutionFailed
-- message:  value out of range
return {
  name = "overflow-utf8",
  version = "1.0.0",
  run = function(input, ctx)
    return utf8.char(1 << 31)
  end,
}
