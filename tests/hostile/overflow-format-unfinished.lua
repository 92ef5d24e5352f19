-- tries:    a directive that does not end
-- code:     ExecutionFailed
-- message:  overflow-format-unfinished.lua:\d+: .*'format'
return {
  name = "overflow-format-unfinished",
  version = "1.0.0",
  run = function(input, ctx)
    return string.format("%")
  end,
}
