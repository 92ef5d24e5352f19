-- tries:    a place outside of the table
-- code:     ExecutionFailed
-- message:  position out of bounds
return {
  name = "overflow-table-insert",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    table.insert(t, 1 << 40, 1)
  end,
}
