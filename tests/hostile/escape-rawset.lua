-- tries:    to write into a host table past its metamethods
-- code:     ExecutionFailed
-- message:  read-only: cannot set field 'format'
return {
  name = "escape-rawset",
  version = "1.0.0",
  run = function(input, ctx)
    rawset(string, "format", function() return "owned" end)
  end,
}
