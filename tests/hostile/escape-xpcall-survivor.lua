-- tries:    to go on in an error handler when the time is up
-- code:     ExecutionTimeout
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "escape-xpcall-survivor",
  version = "1.0.0",
  run = function(input, ctx)
    while true do
      xpcall(function() while true do end end, function() while true do end end)
    end
  end,
}
