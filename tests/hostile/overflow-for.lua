-- tries:    a loop whose step is zero
-- code:     ExecutionFailed
-- message:  'for' step is zero
return {
  name = "overflow-for",
  version = "1.0.0",
  run = function(input, ctx)
    for _ = 1, 10, 0 do end
  end,
}
