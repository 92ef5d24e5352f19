-- tries:    to ask without end and catch the refusal
-- code:     ExecutionTimeout
-- message:  CPU time
-- limits:   requests=20 cpuTimeMs=60
-- cpu:      held
return {
  name = "flood-requests-caught",
  version = "1.0.0",
  run = function(input, ctx)
    while true do pcall(c9.now) end
  end,
}
