-- tries:    one table in two places, which is no cycle
-- status:   completed
-- output:   {"a":[1],"b":[1]}
return {
  name = "output-shared",
  version = "1.0.0",
  run = function(input, ctx)
    local t = { 1 }
    return { a = t, b = t }
  end,
}
