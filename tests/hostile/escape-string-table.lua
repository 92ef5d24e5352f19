-- tries:    to replace a function that host code may call
-- code:     ExecutionFailed
-- message:  read-only: cannot set field 'format'
return {
  name = "escape-string-table",
  version = "1.0.0",
  run = function(input, ctx)
    string.format = function() return "owned" end
  end,
}
