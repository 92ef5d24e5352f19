-- tries:    to be called by host code that walks a table
-- status:   completed
-- output:   .
return {
  name = "escape-ipairs-metamethod",
  version = "1.0.0",
  run = function(input, ctx)
    local calls = 0
    local spy = setmetatable({}, {
      __index = function(_, k) calls = calls + 1 if k == 1 then return 1 end end,
      __len = function() calls = calls + 1 return 3 end,
      __pairs = function() calls = calls + 1 return next, {}, nil end,
    })
    local text = c9.json.encode(spy)
    return { text, calls <= 3 }
  end,
}
