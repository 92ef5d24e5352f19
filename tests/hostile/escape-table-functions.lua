-- tries:    to write into host tables by way of the table library
-- status:   completed
-- output:   []
return {
  name = "escape-table-functions",
  version = "1.0.0",
  run = function(input, ctx)
    local wrote = c9.json.array {}
    local attempts = {
      insert = function(t) table.insert(t, "x") end,
      remove = function(t) table.remove(t) end,
      sort = function(t) table.sort(t) end,
      move = function(t) table.move({ "x" }, 1, 1, 1, t) end,
      next = function(t) for k in next, t do t[k] = nil end end,
      pairs = function(t) for k in pairs(t) do t[k] = 1 end end,
    }
    for name, attempt in pairs(attempts) do
      for _, t in ipairs { string, table, math, utf8, coroutine, c9, c9.log, c9.json } do
        local before = #c9.json.encode { n = rawlen(t), first = tostring(next(t)) }
        pcall(attempt, t)
        if t[1] ~= nil or before ~= #c9.json.encode { n = rawlen(t), first = tostring(next(t)) } then
          wrote[#wrote + 1] = name
        end
      end
    end
    assert(string.format("%d", 7) == "7" and math.floor(1.5) == 1 and c9.json.encode(1) == "1")
    return wrote
  end,
}
