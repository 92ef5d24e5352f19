-- tries:    to catch the end of its time
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-pcall",
  version = "1.0.0",
  run = function(input, ctx)
    while true do pcall(function() while true do end end) end
  end,
}
