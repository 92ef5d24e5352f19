-- tries:    a chain of tables
-- code:     ResourceExhausted
-- details:  limit=memory
-- limits:   memoryMb=16
-- memory:   held
return {
  name = "memory-tables",
  version = "1.0.0",
  run = function(input, ctx)
    local t
    while true do t = { t } end
  end,
}
