-- tries:    details that cannot be told
-- code:     ExecutionFailed
-- message:  m
return {
  name = "error-details-hostile",
  version = "1.0.0",
  run = function(input, ctx)
    error { message = "m", details = { f = print, n = 0 / 0, b = "\xff", [1] = 2 } }
  end,
}
