-- tries:    a table that contains itself
-- code:     ExecutionFailed
-- message:  output.list\[1\].self is a table that contains itself
return {
  name = "output-cyclic",
  version = "1.0.0",
  run = function(input, ctx)
    local t = { list = { {} } }
    t.list[1].self = t
    return t
  end,
}
