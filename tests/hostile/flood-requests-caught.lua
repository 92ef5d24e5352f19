-- tries:    to ask without end and catch the refusal
-- code:     ResourceExhausted
-- message:  requests
-- details:  limit=requests max=20
-- limits:   requests=20 cpuTimeMs=1000
return {
  name = "flood-requests-caught",
  version = "1.0.0",
  run = function(input, ctx)
    while true do pcall(c9.now) end
  end,
}
