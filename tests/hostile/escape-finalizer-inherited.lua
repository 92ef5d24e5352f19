-- tries:    to hide a finalizer behind the metatable of a metatable
-- status:   completed
-- output:   0
return {
  name = "escape-finalizer-inherited",
  version = "1.0.0",
  run = function(input, ctx)
    local ran = 0
    local meta = setmetatable({}, { __index = { __gc = function() ran = ran + 1 end } })
    for _ = 1, 1000 do setmetatable({}, meta) end
    for i = 1, 200000 do local garbage = { i } end -- luacheck: ignore
    return ran
  end,
}
