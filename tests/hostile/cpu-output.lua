-- tries:    an output that takes for ever to read
-- status:   completed|failed
-- code:     ExecutionTimeout|
-- limits:   cpuTimeMs=60
-- cpu:      within
return {
  name = "cpu-output",
  version = "1.0.0",
  run = function(input, ctx)
    return setmetatable({}, { __pairs = function() while true do end end, __index = function() while true do end end })
  end,
}
