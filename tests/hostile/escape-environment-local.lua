-- tries:    to run code under an environment of its own
-- status:   completed
-- output:   true
return {
  name = "escape-environment-local",
  version = "1.0.0",
  run = function(input, ctx)
    local kept = { print = print, pcall = pcall }
    local function run()
      local _ENV = setmetatable({}, { __index = function(_, name) return kept[name] end })
      return load, os, io, string, getmetatable
    end
    return select("#", run()) == 5 and run() == nil
  end,
}
