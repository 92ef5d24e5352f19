-- tries:    to hand host code something else than a string
-- code:     ExecutionFailed
-- message:  '__tostring' must return a string
return {
  name = "escape-tostring-result",
  version = "1.0.0",
  run = function(input, ctx)
    return tostring(setmetatable({}, { __tostring = function() return {} end }))
  end,
}
