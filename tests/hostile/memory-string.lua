-- tries:    a string that doubles
-- code:     ResourceExhausted
-- details:  limit=memory
-- limits:   memoryMb=16
-- memory:   held
return {
  name = "memory-string",
  version = "1.0.0",
  run = function(input, ctx)
    local s = "x"
    while true do s = s .. s end
  end,
}
