-- tries:    a text of JSON that is small
-- code:     ResourceExhausted
-- details:  limit=memory
-- limits:   memoryMb=16
-- memory:   held
return {
  name = "memory-json",
  version = "1.0.0",
  run = function(input, ctx)
    return #c9.json.decode("[" .. ("[],"):rep(1 << 20) .. "[]]")
  end,
}
