-- tries:    a __tostring that loops
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-tostring",
  version = "1.0.0",
  run = function(input, ctx)
    return ("%s"):format(setmetatable({}, { __tostring = function() while true do end end }))
  end,
}
