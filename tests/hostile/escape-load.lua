-- tries:    to compile a text
-- code:     ExecutionFailed
-- message:  attempt to call a nil value \(global 'load'\)
return {
  name = "escape-load",
  version = "1.0.0",
  run = function(input, ctx)
    local f = load("return 1")
    return f()
  end,
}
