-- tries:    recursion through metamethods
-- code:     ExecutionFailed|ResourceExhausted
-- message:  stack overflow|memory
return {
  name = "memory-recursion-metamethod",
  version = "1.0.0",
  run = function(input, ctx)
    local t = setmetatable({}, {})
    getmetatable(t).__index = function(t, k) return t[k .. "x"] .. "" end
    return t.x
  end,
}
