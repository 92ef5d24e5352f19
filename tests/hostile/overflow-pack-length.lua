-- tries:    a fixed size of gigabytes
-- code:     ResourceExhausted|ExecutionFailed
-- message:  memory|too large|overflow|invalid
-- limits:   memoryMb=16
return {
  name = "overflow-pack-length",
  version = "1.0.0",
  run = function(input, ctx)
    return #string.pack("c" .. (1 << 33), "x")
  end,
}
