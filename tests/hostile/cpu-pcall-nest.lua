-- tries:    deep nests of pcall
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-pcall-nest",
  version = "1.0.0",
  run = function(input, ctx)
    local function nest() pcall(nest) return nest() end
    nest()
  end,
}
