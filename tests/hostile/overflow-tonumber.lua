-- tries:    digits without end
-- status:   completed
-- output:   [true,-1,true]
return {
  name = "overflow-tonumber",
  version = "1.0.0",
  run = function(input, ctx)
    return { tonumber(("9"):rep(1 << 16)) == math.huge, tonumber("0x" .. ("f"):rep(1 << 16)), tonumber("1e999999999") == math.huge }
  end,
}
