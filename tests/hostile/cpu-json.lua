-- tries:    large texts of JSON
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-json",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    for i = 1, 20000 do t[i] = { name = "x" .. i, list = { i, i } } end
    while true do c9.json.decode(c9.json.encode(t)) end
  end,
}
