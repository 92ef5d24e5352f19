-- The language itself: scopes, closures, arguments, errors, goto.
return {
  name = "lang_base",
  version = "1.0.0",
  run = function(check)
    local is, fails, pack = check.is, check.fails, table.pack

    local function counter()
      local n = 0
      return function() n = n + 1 return n end
    end
    local a, b = counter(), counter()
    is("closures have their own variables", pack(a(), a(), b()), 1, 2, 1)
    local fs = {}
    for i = 1, 3 do fs[i] = function() i = i + 1 return i end end
    is("each turn of a loop has its own", pack(fs[1](), fs[1](), fs[2]()), 2, 3, 3)
    is("and, or, not", pack(nil and 1, false or "x", 0 and "zero is true", not nil, "" and 1), nil, "x", "zero is true", true, 1)
    local x, y, z = 1, 2
    x, y = y, x
    is("assignment is at once", pack(x, y, z), 2, 1, nil)
    local function many(...) return select("#", ...), ... end
    is("varargs", pack(many(nil, nil)), 2, nil, nil)
    is("varargs in the middle are one", pack(many(1, 2), "end"), 2, "end")
    local function tail(n) if n == 0 then return "end" end return tail(n - 1) end
    is("tail calls need no stack", tail(100000), "end")
    local n = 0
    for i = 1, 5 do
      if i % 2 == 0 then goto continue end
      n = n + i
      ::continue::
    end
    is("goto continue", n, 9)
    local k = 0
    repeat local done = k >= 3 k = k + 1 until done
    is("repeat sees the block's locals", k, 4)
    while true do k = k + 1 if k > 10 then break end end
    is("break", k, 11)
    local c <const> = 5
    is("const", c, 5)
    local object = { v = 1, get = function(self) return self.v end }
    is("methods", pack(object:get(), object.get({ v = 2 })), 1, 2)
    is("types", pack(type(nil), type(1), type(""), type({}), type(print), type(coroutine.create(print)), type(true)),
      "nil", "number", "string", "table", "function", "thread", "boolean")
    fails("type of nothing", "value expected", type)

    is("pcall", pack(pcall(function(...) return ... end, 1, nil)), true, 1, nil)
    is("pcall of what is no function", pack(pcall(nil)), false, "attempt to call a nil value")
    is("error with a level", pack(pcall(error, "m", 0)), false, "m")
    is("error adds the place", (select(2, pcall(function() error("m") end))):match("^lang_base%.lua:%d+: m$") ~= nil, true)
    is("error of level 2 blames the caller", (function()
      local function blame() error("m", 2) end
      local _, e = pcall(function() blame() end)
      return e:match("^lang_base%.lua:%d+: m$") ~= nil
    end)(), true)
    local _, e = pcall(error, { code = 1 })
    is("error values are kept", e.code, 1)
    is("xpcall's handler sees the error", pack(xpcall(error, function(m) return "<" .. m .. ">" end, "m", 0)), false, "<m>")
    is("xpcall passes arguments", pack(xpcall(function(...) return select("#", ...) end, print, 1, 2, 3)), true, 3)
    is("assert gives its arguments", pack(assert(1, "m", 3)), 1, "m", 3)
    fails("assert with a message", "told", assert, false, "told")
    fails("assert without", "assertion failed!", assert, nil)
    fails("a call of nil names it", "attempt to call a nil value (global 'nothing')", function() nothing() end) -- luacheck: ignore
    fails("an index of nil names it", "attempt to index a nil value (local 't')", function() local t t.x = 1 end)
    fails("a field names it", "attempt to index a nil value (field 'b')", function() local t = {} return t.b.c end)
    fails("arithmetic names it", "attempt to perform arithmetic on a nil value (local 'u')", function() local u return u + 1 end)
    fails("comparison of kinds", "attempt to compare number with string", function(p, q) return p < q end, 1, "1")
    fails("a stack that is full", "stack overflow", function() local function f() return f() + 1 end return f() end)

    global_of_this_file = 1 -- luacheck: ignore
    is("globals are the file's own", pack(global_of_this_file, _ENV.global_of_this_file, rawget(_ENV, "print")), 1, 1, nil)
    is("the version", _VERSION, "Lua 5.4")
    is("integers as keys of varargs", (function(...) local t = { ... } return #t end)(1, 2, 3), 3)
    local order = {}
    local function tell(v) order[#order + 1] = v return v end
    local t = { [tell(1)] = tell(2), tell(3) }
    is("order of evaluation in constructors", table.concat(order, ","), "1,2,3")
    is("and the later wins", t[1], 3)
    is("comments and long texts", #[[
x]] --[[ a comment
over lines ]] , 1)
  end,
}
