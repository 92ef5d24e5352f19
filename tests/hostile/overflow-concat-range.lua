-- tries:    a range without end
-- code:     ExecutionFailed
-- message:  invalid value \(nil\) at index 1|invalid value \(at index 1\)
return {
  name = "overflow-concat-range",
  version = "1.0.0",
  run = function(input, ctx)
    return table.concat({}, "", 1, math.maxinteger)
  end,
}
