-- tries:    to log megabytes
-- code:     ResourceExhausted
-- message:  logBytes
-- details:  limit=logBytes
-- limits:   logBytes=65536
return {
  name = "flood-log-bytes",
  version = "1.0.0",
  run = function(input, ctx)
    local s = ("x"):rep(10000)
    for _ = 1, 1e6 do c9.log.info(s) end
  end,
}
