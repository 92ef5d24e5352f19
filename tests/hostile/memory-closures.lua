-- tries:    a chain of closures
-- code:     ResourceExhausted
-- details:  limit=memory
-- limits:   memoryMb=16
-- memory:   held
return {
  name = "memory-closures",
  version = "1.0.0",
  run = function(input, ctx)
    local f = function() end
    while true do local g = f f = function() return g end end
  end,
}
