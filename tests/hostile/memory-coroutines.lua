-- tries:    coroutines that wait
-- code:     ResourceExhausted
-- details:  limit=memory
-- limits:   memoryMb=16
-- memory:   held
return {
  name = "memory-coroutines",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    while true do
      local co = coroutine.create(function() coroutine.yield() end)
      coroutine.resume(co)
      t[#t + 1] = co
    end
  end,
}
