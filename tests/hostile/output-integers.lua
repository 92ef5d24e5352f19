-- tries:    integers of 64 bits
-- status:   completed
-- output:   [9223372036854775807,-9223372036854775808,9007199254740992.0,-0.0]
return {
  name = "output-integers",
  version = "1.0.0",
  run = function(input, ctx)
    return { math.maxinteger, math.mininteger, 2^53, -0.0 }
  end,
}
