-- tries:    metamethods that compare for ever
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-compare",
  version = "1.0.0",
  run = function(input, ctx)
    local meta = {}
    meta.__lt = function(a, b) return a < b end
    local a, b = setmetatable({}, meta), setmetatable({}, meta)
    while true do pcall(function() return a < b end) end
  end,
}
