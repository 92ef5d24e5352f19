-- tries:    a text far larger than its parts
-- code:     ResourceExhausted
-- limits:   memoryMb=16
-- memory:   held
return {
  name = "overflow-concat",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    for i = 1, 4096 do t[i] = "" end
    return #table.concat(t, ("x"):rep(1 << 20))
  end,
}
