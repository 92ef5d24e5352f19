-- tries:    a move of nothing that takes for ever
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-move",
  version = "1.0.0",
  run = function(input, ctx)
    return table.move({}, 1, 1 << 50, 2)
  end,
}
