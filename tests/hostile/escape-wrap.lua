-- tries:    to outlive the limits in a wrapped coroutine that nobody resumes again
-- status:   completed
-- output:   100
return {
  name = "escape-wrap",
  version = "1.0.0",
  run = function(input, ctx)
    local keep = {}
    for i = 1, 100 do
      keep[i] = coroutine.wrap(function()
        local guard <close> = setmetatable({}, { __close = function() while true do end end })
        coroutine.yield(guard ~= nil)
      end)
      keep[i]()
    end
    return #keep
  end,
}
