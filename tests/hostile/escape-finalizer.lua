-- tries:    to have code run when no limit is looked at
-- code:     ExecutionFailed
-- message:  __gc is not available
return {
  name = "escape-finalizer",
  version = "1.0.0",
  run = function(input, ctx)
    setmetatable({}, { __gc = function() while true do end end })
  end,
}
