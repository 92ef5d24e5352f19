-- tries:    to change the environment that skills inherit from
-- status:   completed
-- output:   ["string",false,false,true]
return {
  name = "escape-environment",
  version = "1.0.0",
  run = function(input, ctx)
    local meta = getmetatable(_ENV)
    local fine = pcall(setmetatable, _ENV, nil)
    local written = pcall(function() meta.__index.print = nil end)
    return { type(meta), fine, written, print ~= nil }
  end,
}
