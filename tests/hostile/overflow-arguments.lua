-- tries:    more arguments than the stack has
-- code:     ExecutionFailed
-- message:  too many results to unpack
return {
  name = "overflow-arguments",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    for i = 1, 1e6 do t[i] = i end
    return select("#", table.unpack(t))
  end,
}
