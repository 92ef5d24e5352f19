-- tries:    randomness by the million
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-random",
  version = "1.0.0",
  run = function(input, ctx)
    while true do math.random(1 << 40) end
  end,
}
