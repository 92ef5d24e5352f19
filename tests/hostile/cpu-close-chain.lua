-- tries:    many __close handlers that loop, one after the other
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-close-chain",
  version = "1.0.0",
  run = function(input, ctx)
    local function guard(n)
      if n == 0 then while true do end end
      local g <close> = setmetatable({}, { __close = function() while true do end end })
      guard(n - 1)
      return g
    end
    while true do pcall(guard, 100) end
  end,
}
