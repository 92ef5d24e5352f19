-- tries:    insertions at the begin
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-insert",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    while true do
      table.insert(t, 1, 1)
      if #t > 50000 then t = {} end
    end
  end,
}
