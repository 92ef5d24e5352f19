-- tries:    to learn an address
-- status:   completed
-- output:   "none"
return {
  name = "escape-address",
  version = "1.0.0",
  run = function(input, ctx)
    local texts = { tostring({}), tostring(print), tostring(string.format), tostring(coroutine.create(print)),
      string.format("%s %q", {}, "x"), tostring(c9.null), select(2, pcall(error, {})) and "" or "" }
    local _, failure = pcall(function() return {} + 1 end)
    texts[#texts + 1] = failure
    for _, text in ipairs(texts) do
      if text:find("0x") or text:find("%x%x%x%x%x%x%x%x") then return text end
    end
    return "none"
  end,
}
