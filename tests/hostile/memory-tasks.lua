-- tries:    tasks without end
-- code:     ResourceExhausted|ExecutionFailed
-- message:  memory|too many
-- limits:   memoryMb=16
return {
  name = "memory-tasks",
  version = "1.0.0",
  run = function(input, ctx)
    local calls = {}
    for i = 1, 1 << 20 do calls[i] = function() c9.sleep(1) end end
    c9.all(table.unpack(calls))
  end,
}
