-- tries:    an unstable order
-- status:   completed
-- output:   .
-- twice:    same
return {
  name = "determinism-sort",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    for i = 1, 1000 do t[i] = { k = i % 3, i = i } end
    table.sort(t, function(a, b) return a.k < b.k end)
    local s = 0
    for i = 1, 1000 do s = (s * 31 + t[i].i) % 1000003 end
    return s
  end,
}
