-- tries:    coroutines that start coroutines
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-coroutine-nest",
  version = "1.0.0",
  run = function(input, ctx)
    local function nest(n)
      if n == 0 then while true do end end
      local co = coroutine.create(nest)
      coroutine.resume(co, n - 1)
    end
    while true do nest(150) end
  end,
}
