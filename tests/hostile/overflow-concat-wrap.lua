-- tries:    a range at the end of integers
-- status:   completed
-- output:   "x"
return {
  name = "overflow-concat-wrap",
  version = "1.0.0",
  run = function(input, ctx)
    return table.concat({ [math.maxinteger] = "x" }, "", math.maxinteger, math.maxinteger)
  end,
}
