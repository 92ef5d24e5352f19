-- tries:    captures by the million
-- code:     ResourceExhausted
-- details:  limit=memory
-- limits:   memoryMb=16
-- memory:   held
return {
  name = "memory-gmatch",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    for c in ("x"):rep(1 << 22):gmatch("(.)") do t[#t + 1] = { c } end
  end,
}
