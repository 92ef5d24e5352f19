-- tries:    results by the hundred thousand
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-unpack",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    for i = 1, 100000 do t[i] = i end
    while true do local _ = select("#", table.unpack(t)) end
  end,
}
