-- tries:    coroutines that end before a hook could find them
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "cpu-coroutine-short",
  version = "1.0.0",
  run = function(input, ctx)
    local function nothing() end
    while true do coroutine.wrap(nothing)() end
  end,
}
