-- tries:    to reach the registry
-- code:     ExecutionFailed
-- message:  attempt to index a nil value \(global 'debug'\)
return {
  name = "escape-debug",
  version = "1.0.0",
  run = function(input, ctx)
    return debug.getregistry()
  end,
}
