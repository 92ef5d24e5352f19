-- tries:    a large text by characters
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-utf8",
  version = "1.0.0",
  run = function(input, ctx)
    local s = ("\u{20AC}"):rep(300000)
    while true do utf8.len(s) end
  end,
}
