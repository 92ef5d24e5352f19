-- tries:    the same by print
-- code:     ResourceExhausted
-- message:  logCount
-- limits:   logCount=50
return {
  name = "flood-print",
  version = "1.0.0",
  run = function(input, ctx)
    while true do print("x") end
  end,
}
