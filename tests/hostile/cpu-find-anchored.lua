-- tries:    a pattern that backtracks from one place
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-find-anchored",
  version = "1.0.0",
  run = function(input, ctx)
    return (("a"):rep(40)):find("^" .. ("a?"):rep(30) .. ("a"):rep(30) .. "b")
  end,
}
