-- tries:    an error that is a table
-- code:     ExecutionFailed
-- message:  table#|table
return {
  name = "error-table",
  version = "1.0.0",
  run = function(input, ctx)
    error { a = 1 }
  end,
}
