-- tries:    patterns that end early
-- status:   completed
-- output:   []
return {
  name = "overflow-pattern-malformed",
  version = "1.0.0",
  run = function(input, ctx)
    local said = c9.json.array {}
    for _, pattern in ipairs { "[", "[^", "[a", "[a-", "%", "(", "(()", "%f", "%b", "%bx", "[%", "[x])", "%1" } do
      local fine = pcall(string.find, "xxx", pattern)
      if fine then said[#said + 1] = pattern end
    end
    return said
  end,
}
