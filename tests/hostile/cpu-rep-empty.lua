-- tries:    repetitions of nothing
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-rep-empty",
  version = "1.0.0",
  run = function(input, ctx)
    while true do local _ = (""):rep(1 << 60) end
  end,
}
