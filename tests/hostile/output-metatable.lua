-- tries:    a table that hides what it has
-- status:   completed
-- output:   .
return {
  name = "output-metatable",
  version = "1.0.0",
  run = function(input, ctx)
    return setmetatable({ a = 1 }, { __pairs = function() return next, { b = 2 }, nil end, __metatable = false })
  end,
}
