-- tries:    more than one value
-- status:   completed
-- output:   1
return {
  name = "output-many",
  version = "1.0.0",
  run = function(input, ctx)
    return 1, 2, 3
  end,
}
