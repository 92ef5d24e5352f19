-- tries:    a string larger than its memory
-- code:     ResourceExhausted
-- limits:   memoryMb=16
-- memory:   held
return {
  name = "overflow-rep-memory",
  version = "1.0.0",
  run = function(input, ctx)
    return #("x"):rep(1 << 30)
  end,
}
