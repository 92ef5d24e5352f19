-- tries:    no value at all
-- status:   completed
-- output:   null
return {
  name = "output-nothing",
  version = "1.0.0",
  run = function(input, ctx)
    return
  end,
}
