-- tries:    more results than the stack has
-- code:     ExecutionFailed
-- message:  too many results to unpack
return {
  name = "overflow-table-unpack",
  version = "1.0.0",
  run = function(input, ctx)
    return table.unpack({}, 1, 1e8)
  end,
}
