-- tries:    weak tables, which the collector must walk again
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-weak",
  version = "1.0.0",
  run = function(input, ctx)
    local weak = setmetatable({}, { __mode = "k" })
    local previous = {}
    for _ = 1, 20000 do local k = {} weak[k] = previous previous = k end
    while true do local _ = { {}, {} } end
  end,
}
