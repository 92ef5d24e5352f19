-- tries:    to see when the collector runs
-- status:   completed
-- output:   .
-- twice:    same
return {
  name = "determinism-collector",
  version = "1.0.0",
  run = function(input, ctx)
    local weak = setmetatable({}, { __mode = "v" })
    local seen = {}
    for i = 1, 100000 do
      weak[i] = { i }
      if i % 1000 == 0 then
        local alive = 0
        for k = 1, i do if weak[k] then alive = alive + 1 end end
        seen[#seen + 1] = alive
        if #seen == 10 then break end
      end
    end
    return seen
  end,
}
