-- tries:    the longest numbers, again and again
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-format",
  version = "1.0.0",
  run = function(input, ctx)
    while true do local _ = ("%99.99f"):format(1e308) end
  end,
}
