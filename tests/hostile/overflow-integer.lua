-- tries:    arithmetic at the border
-- status:   completed
-- output:   [true,true,0]
return {
  name = "overflow-integer",
  version = "1.0.0",
  run = function(input, ctx)
    return { math.maxinteger + 1 == math.mininteger, math.mininteger // -1 == math.mininteger, math.mininteger % -1 }
  end,
}
