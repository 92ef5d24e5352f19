-- tries:    an error that contains itself
-- code:     ExecutionFailed
-- message:  round
return {
  name = "error-cyclic",
  version = "1.0.0",
  run = function(input, ctx)
    local t = { message = "round" }
    t.t, t.details = t, { t = t }
    error(t)
  end,
}
