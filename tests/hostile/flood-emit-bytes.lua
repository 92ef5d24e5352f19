-- tries:    an emit larger than allowed
-- code:     ResourceExhausted
-- message:  outputBytes|emit
-- limits:   outputBytes=65536
return {
  name = "flood-emit-bytes",
  version = "1.0.0",
  run = function(input, ctx)
    c9.emit(("x"):rep(100000))
  end,
}
