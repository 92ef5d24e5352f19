-- tries:    a function
-- code:     ExecutionFailed
-- message:  output.list\[2\].f is a function
return {
  name = "output-function",
  version = "1.0.0",
  run = function(input, ctx)
    return { list = { 1, { f = print } } }
  end,
}
