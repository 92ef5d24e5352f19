-- tries:    to change it from below
-- code:     ExecutionFailed
-- message:  read-only: cannot set field 'id'
return {
  name = "escape-context-deep",
  version = "1.0.0",
  run = function(input, ctx)
    rawset(ctx.execution, "id", "another")
  end,
}
