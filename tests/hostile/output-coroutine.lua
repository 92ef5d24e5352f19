-- tries:    a coroutine
-- code:     ExecutionFailed
-- message:  output.co is a thread|output.co is a coroutine
return {
  name = "output-coroutine",
  version = "1.0.0",
  run = function(input, ctx)
    return { co = coroutine.create(print) }
  end,
}
