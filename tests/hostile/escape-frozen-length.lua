-- tries:    to see through a read-only view with the raw functions
-- status:   completed
-- output:   [true,true,true,true]
return {
  name = "escape-frozen-length",
  version = "1.0.0",
  run = function(input, ctx)
    local list = c9.skills.list()
    return { rawlen(list) >= 0, rawequal(list, list), next(string) ~= nil, rawget(string, "format") == string.format }
  end,
}
