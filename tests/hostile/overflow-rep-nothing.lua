-- tries:    work that gives nothing
-- status:   completed
-- output:   ["","",""]
return {
  name = "overflow-rep-nothing",
  version = "1.0.0",
  run = function(input, ctx)
    return { (""):rep(math.maxinteger), ("x"):rep(math.mininteger), (""):rep(1 << 62, "") }
  end,
}
