-- Runs another skill of the agent, named by the input, with `check` as its input; gives what it found:
-- a list of { what, whether it holds, what came instead }.
return {
  name = "language",
  version = "1.0.0",
  run = function(name)
    local found = c9.json.array {}
    local check = {}

    local function shown(packed)
      local texts = {}
      for i = 1, packed.n do texts[i] = math.type(packed[i]) == "float" and ("%.17g (float)"):format(packed[i])
        or tostring(packed[i]) end
      return "(" .. table.concat(texts, ", ") .. ")"
    end

    local function same(a, b)
      return a == b and math.type(a) == math.type(b) or (a ~= a and b ~= b)
    end

    -- check.is(what, table.pack(f()), …): f gives exactly these values; a single value need not be packed.
    function check.is(what, got, ...)
      local want = table.pack(...)
      if type(got) ~= "table" or got.n == nil then got = { got, n = 1 } end
      local fine = got.n == want.n
      for i = 1, want.n do fine = fine and same(got[i], want[i]) end
      found[#found + 1] = { what, fine, fine and "" or shown(got) .. " is not " .. shown(want) }
    end

    -- check.fails(what, text, f, …): f(…) raises an error that holds the text.
    function check.fails(what, text, f, ...)
      local fine, failure = pcall(f, ...)
      local said = not fine and tostring(failure):find(text, 1, true) ~= nil
      found[#found + 1] = { what, said, said and "" or (fine and "no error" or tostring(failure)) }
    end

    c9.skills.call(name, check)
    return found
  end,
}
