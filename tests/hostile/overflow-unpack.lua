-- tries:    a length that the data does not have
-- code:     ExecutionFailed
-- message:  data string too short
return {
  name = "overflow-unpack",
  version = "1.0.0",
  run = function(input, ctx)
    return string.unpack("<s8", ("\xff"):rep(8) .. "x")
  end,
}
