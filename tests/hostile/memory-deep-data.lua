-- tries:    data deeper than any walker likes
-- status:   completed
-- output:   false
return {
  name = "memory-deep-data",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    local at = t
    for _ = 1, 100000 do at.next = {} at = at.next end
    return pcall(c9.json.encode, t)
  end,
}
