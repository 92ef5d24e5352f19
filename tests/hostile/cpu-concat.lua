-- tries:    concatenation of many
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-concat",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    for i = 1, 100000 do t[i] = "x" end
    while true do table.concat(t) end
  end,
}
