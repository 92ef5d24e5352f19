-- tries:    balances that never close
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-match-balance",
  version = "1.0.0",
  run = function(input, ctx)
    local s = ("("):rep(200000)
    while true do s:match("%b()") end
  end,
}
