-- tries:    an order that raises
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-sort-error",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    for i = 1, 10000 do t[i] = -i end
    while true do pcall(table.sort, t, function() error("x") end) end
  end,
}
