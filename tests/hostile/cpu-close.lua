-- tries:    a __close handler that loops
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-close",
  version = "1.0.0",
  run = function(input, ctx)
    local function enter()
      local guard <close> = setmetatable({}, { __close = function() while true do end end })
      return guard
    end
    while true do pcall(enter) end
  end,
}
