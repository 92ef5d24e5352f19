-- tries:    a pattern that backtracks
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-find",
  version = "1.0.0",
  run = function(input, ctx)
    return (("a"):rep(30000)):find((".-"):rep(20) .. "b")
  end,
}
