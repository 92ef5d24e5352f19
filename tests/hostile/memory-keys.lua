-- tries:    keys that are long
-- code:     ResourceExhausted
-- details:  limit=memory
-- limits:   memoryMb=16
-- memory:   held
return {
  name = "memory-keys",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    while true do t[("k"):rep(10000) .. #t] = true t[#t + 1] = true end
  end,
}
