-- tries:    texts that grow by one
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-concat-operator",
  version = "1.0.0",
  run = function(input, ctx)
    while true do
      local s = ""
      for i = 1, 20000 do s = s .. i end
    end
  end,
}
