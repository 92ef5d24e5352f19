-- tries:    an error in a __close handler
-- code:     ExecutionFailed
-- message:  on close
return {
  name = "error-close",
  version = "1.0.0",
  run = function(input, ctx)
    local g <close> = setmetatable({}, { __close = function() error("on close") end })
    error("first")
  end,
}
