-- tries:    to leave something behind for the next execution
-- status:   completed
-- output:   [1,false,true]
-- twice:    same
return {
  name = "escape-traces",
  version = "1.0.0",
  run = function(input, ctx)
    visits = (visits or 0) + 1 -- luacheck: ignore
    local marked = pcall(function() c9.visits = visits end) or pcall(function() string.visits = visits end)
    return { visits, marked, c9.visits == nil }
  end,
}
