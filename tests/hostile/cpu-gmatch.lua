-- tries:    matches of nothing in a large text
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-gmatch",
  version = "1.0.0",
  run = function(input, ctx)
    local s = ("x"):rep(1000000)
    while true do for _ in s:gmatch("()") do end end
  end,
}
