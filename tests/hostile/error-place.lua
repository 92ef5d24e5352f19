-- tries:    an ordinary mistake
-- code:     ExecutionFailed
-- message:  error-place.lua:\d+: attempt to index a nil value \(local 'rows'\)
-- traceback:error-place.lua:\d+
return {
  name = "error-place",
  version = "1.0.0",
  run = function(input, ctx)
    local rows
    return rows[1]
  end,
}
