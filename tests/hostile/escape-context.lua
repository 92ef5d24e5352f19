-- tries:    to change what it is told of itself
-- code:     ExecutionFailed
-- message:  read-only: cannot set field 'id'
return {
  name = "escape-context",
  version = "1.0.0",
  run = function(input, ctx)
    ctx.execution.id = "another"
  end,
}
