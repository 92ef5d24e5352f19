-- tries:    an __index that leads to itself by way of keys
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-index",
  version = "1.0.0",
  run = function(input, ctx)
    local t = setmetatable({}, { __index = function(t, k) return t[k + 1] end })
    while true do pcall(function() return t[1] end) end
  end,
}
