-- tries:    to let coroutines die of it
-- code:     ResourceExhausted
-- details:  limit=memory
-- limits:   memoryMb=16
-- memory:   held
return {
  name = "memory-caught-coroutine",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    while true do coroutine.resume(coroutine.create(function() while true do t[#t + 1] = ("x"):rep(100) .. #t end end)) end
  end,
}
