-- tries:    the order of a large table
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-pairs",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    for i = 1, 100000 do t["k" .. i] = i end
    while true do for _ in pairs(t) do break end end
  end,
}
