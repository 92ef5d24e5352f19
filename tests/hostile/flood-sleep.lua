-- tries:    to sleep for ever
-- code:     ExecutionTimeout
-- message:  wall time
-- details:  limit=wallTimeMs
-- limits:   wallTimeMs=300
return {
  name = "flood-sleep",
  version = "1.0.0",
  run = function(input, ctx)
    c9.sleep("365d")
  end,
}
