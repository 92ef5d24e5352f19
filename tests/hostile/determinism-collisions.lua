-- tries:    texts whose hashes collide
-- status:   completed
-- output:   20000
-- twice:    same
return {
  name = "determinism-collisions",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    for i = 1, 20000 do t[("\0"):rep(40) .. i] = i end
    local n = 0
    for _ in pairs(t) do n = n + 1 end
    return n
  end,
}
