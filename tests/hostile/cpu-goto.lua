-- tries:    the same by goto
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-goto",
  version = "1.0.0",
  run = function(input, ctx)
    ::again::
    goto again
  end,
}
