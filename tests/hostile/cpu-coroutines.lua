-- tries:    coroutines in coroutines
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-coroutines",
  version = "1.0.0",
  run = function(input, ctx)
    local function spin()
      while true do
        local step = coroutine.wrap(function() coroutine.yield() end)
        step()
        step()
      end
    end
    coroutine.wrap(spin)()
  end,
}
