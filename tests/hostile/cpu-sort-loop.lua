-- tries:    an order that does not answer
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-sort-loop",
  version = "1.0.0",
  run = function(input, ctx)
    table.sort({ 3, 2, 1 }, function() while true do end end)
  end,
}
