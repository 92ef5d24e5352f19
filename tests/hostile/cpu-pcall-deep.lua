-- tries:    pcalls as deep as they go, again and again
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-pcall-deep",
  version = "1.0.0",
  run = function(input, ctx)
    local function nest(n) if n > 0 then pcall(nest, n - 1) end end
    while true do nest(180) end
  end,
}
