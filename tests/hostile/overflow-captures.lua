-- tries:    more captures than there may be
-- code:     ExecutionFailed
-- message:  too many captures
return {
  name = "overflow-captures",
  version = "1.0.0",
  run = function(input, ctx)
    return ("x"):find(("("):rep(40) .. "x" .. (")"):rep(40))
  end,
}
