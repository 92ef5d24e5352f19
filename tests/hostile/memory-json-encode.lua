-- tries:    a value whose text is large
-- code:     ResourceExhausted
-- details:  limit=memory
-- limits:   memoryMb=16
-- memory:   held
return {
  name = "memory-json-encode",
  version = "1.0.0",
  run = function(input, ctx)
    local s = ("\1"):rep(1 << 20)
    return #c9.json.encode { s, s, s, s, s, s }
  end,
}
