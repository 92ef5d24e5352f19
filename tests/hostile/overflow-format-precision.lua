-- tries:    the longest numbers there are
-- status:   completed
-- output:   410
return {
  name = "overflow-format-precision",
  version = "1.0.0",
  run = function(input, ctx)
    return #string.format("%99.99f", -1.7976931348623157e308)
  end,
}
