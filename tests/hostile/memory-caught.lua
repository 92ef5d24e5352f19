-- tries:    to catch the end of its memory
-- code:     ResourceExhausted
-- details:  limit=memory
-- limits:   memoryMb=16
-- memory:   held
return {
  name = "memory-caught",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    while true do pcall(function() while true do t[#t + 1] = {} end end) end
  end,
}
