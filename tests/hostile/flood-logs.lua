-- tries:    to log without end
-- code:     ResourceExhausted
-- message:  logCount
-- details:  limit=logCount
-- limits:   logCount=50
return {
  name = "flood-logs",
  version = "1.0.0",
  run = function(input, ctx)
    for i = 1, 1e7 do c9.log.info("line " .. i) end
  end,
}
