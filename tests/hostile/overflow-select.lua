-- tries:    a place before the first
-- code:     ExecutionFailed
-- message:  index out of range
return {
  name = "overflow-select",
  version = "1.0.0",
  run = function(input, ctx)
    return select(-2, 1)
  end,
}
