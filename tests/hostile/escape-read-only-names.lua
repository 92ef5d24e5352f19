-- tries:    to write to the read-only by every name it has
-- status:   completed
-- output:   true
return {
  name = "escape-read-only-names",
  version = "1.0.0",
  run = function(input, ctx)
    local failed = 0
    for _, t in ipairs { string, table, math, utf8, coroutine, c9, c9.log, c9.json, c9.model, c9.http, c9.agents, c9.skills } do
      for k in pairs(t) do
        if not pcall(function() t[k] = nil end) and not pcall(rawset, t, k, nil) then failed = failed + 1 end
      end
      if pcall(function() t.new = 1 end) or pcall(function() t[1] = 1 end) then return "written" end
    end
    return failed > 50
  end,
}
