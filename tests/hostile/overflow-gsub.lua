-- tries:    a text that grows by its square
-- code:     ResourceExhausted
-- limits:   memoryMb=16
-- memory:   held
return {
  name = "overflow-gsub",
  version = "1.0.0",
  run = function(input, ctx)
    return #("x"):rep(1 << 14):gsub("x", ("y"):rep(1 << 14))
  end,
}
