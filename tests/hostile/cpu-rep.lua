-- tries:    large strings, again and again
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-rep",
  version = "1.0.0",
  run = function(input, ctx)
    while true do local _ = ("x"):rep(1 << 22) end
  end,
}
