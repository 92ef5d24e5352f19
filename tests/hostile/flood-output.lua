-- tries:    an output larger than allowed
-- code:     ResourceExhausted
-- message:  outputBytes
-- details:  limit=outputBytes
-- limits:   outputBytes=65536
return {
  name = "flood-output",
  version = "1.0.0",
  run = function(input, ctx)
    return ("x"):rep(100000)
  end,
}
