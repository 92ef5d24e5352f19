-- tries:    to emit without end
-- code:     ResourceExhausted
-- message:  emitCount
-- details:  limit=emitCount
-- limits:   emitCount=50
return {
  name = "flood-emits",
  version = "1.0.0",
  run = function(input, ctx)
    for i = 1, 1e7 do c9.emit(i) end
  end,
}
