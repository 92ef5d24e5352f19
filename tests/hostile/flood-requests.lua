-- tries:    to ask without end
-- code:     ResourceExhausted
-- message:  requests
-- details:  limit=requests
-- limits:   requests=20
return {
  name = "flood-requests",
  version = "1.0.0",
  run = function(input, ctx)
    while true do c9.now() end
  end,
}
