-- tries:    garbage in a form that is slow to collect
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-collector",
  version = "1.0.0",
  run = function(input, ctx)
    local old = {}
    for i = 1, 50000 do old[i] = { old[i - 1] } end
    while true do local t = {} for i = 1, 100 do t[i] = {} end end
  end,
}
