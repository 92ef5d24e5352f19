-- tries:    an error handler that loops
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-handler-loop",
  version = "1.0.0",
  run = function(input, ctx)
    xpcall(error, function() while true do end end)
  end,
}
