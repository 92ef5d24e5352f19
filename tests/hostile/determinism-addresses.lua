-- tries:    an order by addresses
-- status:   completed
-- output:   .
-- twice:    same
return {
  name = "determinism-addresses",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    for i = 1, 100 do t[i] = {} end
    table.sort(t, function(a, b) return tostring(a) < tostring(b) end)
    return tostring(t[1]) .. tostring(t[100])
  end,
}
