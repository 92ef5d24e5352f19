-- tries:    an order that contradicts itself
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-sort",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    for i = 1, 100000 do t[i] = i * 7919 % 100003 end
    while true do pcall(table.sort, t, function() return true end) end
  end,
}
