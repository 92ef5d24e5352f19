-- tries:    an error that claims a code of the host
-- code:     ExecutionFailed
-- message:  spoofed
return {
  name = "error-spoofed",
  version = "1.0.0",
  run = function(input, ctx)
    error { code = "InternalError\0x", message = "spoofed" }
  end,
}
