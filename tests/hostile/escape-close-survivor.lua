-- tries:    to go on in a __close handler when the time is up
-- code:     ExecutionTimeout
-- details:  limit=cpuTimeMs
-- limits:   cpuTimeMs=60
-- cpu:      held
return {
  name = "escape-close-survivor",
  version = "1.0.0",
  run = function(input, ctx)
    local function again()
      local guard <close> = setmetatable({}, { __close = function() while true do pcall(again) end end })
      while true do end
    end
    again()
  end,
}
