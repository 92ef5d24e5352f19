-- tries:    a move at the end of integers
-- code:     ExecutionFailed
-- message:  too many elements to move|destination wrap around
return {
  name = "overflow-table-move",
  version = "1.0.0",
  run = function(input, ctx)
    return table.move({}, 1, math.maxinteger, 2)
  end,
}
