-- tries:    more results than the stack has
-- code:     ExecutionFailed
-- message:  string slice too long
return {
  name = "overflow-byte",
  version = "1.0.0",
  run = function(input, ctx)
    return ("x"):rep(1 << 22):byte(1, -1)
  end,
}
