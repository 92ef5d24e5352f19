-- tries:    a division by zero
-- code:     ExecutionFailed
-- message:  overflow-division.lua:\d+: attempt to (perform 'n//0'|divide by zero)
return {
  name = "overflow-division",
  version = "1.0.0",
  run = function(input, ctx)
    return 1 // 0
  end,
}
