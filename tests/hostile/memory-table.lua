-- tries:    a table that grows
-- code:     ResourceExhausted
-- details:  limit=memory
-- limits:   memoryMb=16
-- memory:   held
return {
  name = "memory-table",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    for i = 1, 1e9 do t[i] = i end
  end,
}
