-- tries:    an order that depends on hashes
-- status:   completed
-- output:   .
-- twice:    same
return {
  name = "determinism-pairs",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    for i = 1, 1000 do t["key" .. i * 7919 % 1000] = i t[i * 0.5] = true end
    local order = {}
    for k in pairs(t) do order[#order + 1] = tostring(k) end
    return table.concat(order, " ")
  end,
}
