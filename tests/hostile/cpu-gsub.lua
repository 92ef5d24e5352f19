-- tries:    a replacement that loops
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-gsub",
  version = "1.0.0",
  run = function(input, ctx)
    return ("x"):gsub("x", function() while true do end end)
  end,
}
