-- tries:    coroutine.close on what does not want to
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-close-coroutine",
  version = "1.0.0",
  run = function(input, ctx)
    while true do
      local co = coroutine.create(function()
        local g <close> = setmetatable({}, { __close = function() while true do end end })
        coroutine.yield(g)
      end)
      coroutine.resume(co)
      pcall(coroutine.close, co)
    end
  end,
}
