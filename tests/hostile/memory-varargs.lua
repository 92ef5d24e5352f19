-- tries:    arguments by the hundred thousand
-- code:     ResourceExhausted|ExecutionFailed|ExecutionTimeout
-- message:  memory|stack overflow|too many|CPU time
-- limits:   memoryMb=16 cpuTimeMs=300
return {
  name = "memory-varargs",
  version = "1.0.0",
  run = function(input, ctx)
    local function grow(...) return grow(1, 2, 3, 4, 5, 6, 7, 8, ...) end
    grow()
  end,
}
