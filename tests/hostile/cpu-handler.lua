-- tries:    an error handler that fails again and again
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-handler",
  version = "1.0.0",
  run = function(input, ctx)
    local function handler(e) error(e) end
    while true do xpcall(error, handler, "x") end
  end,
}
