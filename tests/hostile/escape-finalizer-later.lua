-- tries:    to add a finalizer to a metatable that is in use already
-- status:   completed
-- output:   0
return {
  name = "escape-finalizer-later",
  version = "1.0.0",
  run = function(input, ctx)
    local ran = 0
    local meta = {}
    for _ = 1, 1000 do setmetatable({}, meta) end
    meta.__gc = function() ran = ran + 1 end
    for i = 1, 200000 do local garbage = { i } end -- luacheck: ignore
    return ran
  end,
}
