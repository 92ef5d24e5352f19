-- tries:    to find anything of the host by its usual name
-- status:   completed
-- output:   []
return {
  name = "escape-names",
  version = "1.0.0",
  run = function(input, ctx)
    local found = c9.json.array {}
    for _, name in ipairs { "load", "loadstring", "loadfile", "dofile", "require", "module", "package", "os", "io",
      "debug", "collectgarbage", "newproxy", "getfenv", "setfenv", "_G", "warn", "arg", "jit", "bit32", "ffi" } do
      if _ENV[name] ~= nil then found[#found + 1] = name end
    end
    return found
  end,
}
