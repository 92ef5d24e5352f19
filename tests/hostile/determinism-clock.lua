-- tries:    a clock of its own
-- status:   completed
-- output:   [true,1000]
-- twice:    same
return {
  name = "determinism-clock",
  version = "1.0.0",
  run = function(input, ctx)
    local n = 0
    for _ = 1, 1000 do n = n + 1 end
    return { os == nil, n }
  end,
}
