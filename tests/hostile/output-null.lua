-- tries:    nulls where they can be
-- status:   completed
-- output:   {"a":null,"b":[null,1]}
return {
  name = "output-null",
  version = "1.0.0",
  run = function(input, ctx)
    return { a = c9.null, b = { c9.null, 1 } }
  end,
}
