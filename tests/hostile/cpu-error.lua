-- tries:    an error object that takes for ever to read
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-error",
  version = "1.0.0",
  run = function(input, ctx)
    error(setmetatable({}, { __tostring = function() while true do end end }))
  end,
}
