-- tries:    keys that are tables
-- code:     ExecutionFailed
-- message:  output
return {
  name = "output-table-keys",
  version = "1.0.0",
  run = function(input, ctx)
    return { [{}] = 1 }
  end,
}
