-- tries:    to go on in a coroutine that the signal did not find
-- code:     ExecutionTimeout
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "escape-coroutine-survivor",
  version = "1.0.0",
  run = function(input, ctx)
    local function spin() while true do end end
    while true do
      local co = coroutine.create(spin)
      pcall(coroutine.resume, co)
      pcall(coroutine.close, co)
    end
  end,
}
