-- tries:    a size that does not fit an integer
-- code:     ExecutionFailed
-- message:  overflow-rep.lua:\d+: resulting string too large
return {
  name = "overflow-rep",
  version = "1.0.0",
  run = function(input, ctx)
    return ("xx"):rep(math.maxinteger)
  end,
}
