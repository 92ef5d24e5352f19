-- tries:    recursion without end
-- code:     ExecutionFailed
-- message:  stack overflow
-- traceback:memory-recursion.lua:
-- limits:   memoryMb=16
return {
  name = "memory-recursion",
  version = "1.0.0",
  run = function(input, ctx)
    local function f(n) return 1 + f(n + 1) end
    return f(1)
  end,
}
