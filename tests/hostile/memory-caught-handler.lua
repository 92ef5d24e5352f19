-- tries:    to go on in an error handler
-- code:     ResourceExhausted
-- details:  limit=memory
-- limits:   memoryMb=16
-- memory:   held
return {
  name = "memory-caught-handler",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    while true do
      xpcall(function() while true do t[#t + 1] = {} end end, function() for i = 1, 1e6 do t[-i] = { i } end end)
    end
  end,
}
