-- tries:    to loop for ever
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-loop",
  version = "1.0.0",
  run = function(input, ctx)
    while true do end
  end,
}
