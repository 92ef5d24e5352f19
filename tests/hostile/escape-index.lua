-- tries:    to find something behind the __index of strings
-- status:   completed
-- output:   []
return {
  name = "escape-index",
  version = "1.0.0",
  run = function(input, ctx)
    local found = c9.json.array {}
    for _, key in ipairs { "__index", "__gc", "__newindex", "__metatable", "dump", "loadstring", "_G" } do
      if ("x")[key] ~= nil then found[#found + 1] = key end
    end
    return found
  end,
}
