-- tries:    tasks that each loop
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-tasks",
  version = "1.0.0",
  run = function(input, ctx)
    local loops = {}
    for i = 1, 50 do loops[i] = function() while true do pcall(function() while true do end end) end end end
    c9.all(table.unpack(loops))
  end,
}
