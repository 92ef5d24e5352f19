-- tries:    an error in a coroutine
-- code:     ExecutionFailed
-- message:  attempt to index a nil value
-- traceback:error-coroutine-traceback.lua:
return {
  name = "error-coroutine-traceback",
  version = "1.0.0",
  run = function(input, ctx)
    coroutine.wrap(function() local t
      return t.x
    end)()
  end,
}
