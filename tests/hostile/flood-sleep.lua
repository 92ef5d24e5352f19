-- tries:    to take its time for ever, in sleeps too short to give the process back
-- code:     ExecutionTimeout
-- message:  wall time
-- details:  limit=wallTimeMs
-- limits:   wallTimeMs=300
return {
  name = "flood-sleep",
  version = "1.0.0",
  run = function(input, ctx)
    while true do
      c9.sleep("20ms")
    end
  end,
}
