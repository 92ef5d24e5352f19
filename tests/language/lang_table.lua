-- The table library, and what tables are.
return {
  name = "lang_table",
  version = "1.0.0",
  run = function(check)
    local is, fails, pack = check.is, check.fails, table.pack
    local function text(t) return table.concat(t, ",") end

    is("length", pack(#{}, #{ 1, 2, 3 }, #{ n = 1 }), 0, 3, 0)
    is("constructors", text { 1, [2] = "x", 2; 3 }, "1,2,3")
    is("a call last gives all its values", #{ 1, table.unpack { 1, 2, 3 } }, 4)
    is("a call in brackets gives one", #{ (table.unpack { 1, 2, 3 }) }, 1)
    is("floats that are whole are integers as keys", pack(({ [1] = "a" })[1.0], ({ [2^53] = "b" })[1 << 53]), "a", "b")
    fails("nil as a key", "index is nil", function() local t = {} t[nil] = 1 end)
    fails("NaN as a key", "index is NaN", function() local t = {} t[0 / 0] = 1 end)
    is("nil cannot be read as a key either, but may be tried", pack(({})[nil]), nil)

    local t = { 1, 2, 3 }
    table.insert(t, 4)
    table.insert(t, 1, 0)
    table.insert(t, 3, "x")
    is("insert", text(t), "0,1,x,2,3,4")
    is("insert behind the last", (function() local u = { 1 } table.insert(u, 2, 2) return text(u) end)(), "1,2")
    fails("insert outside", "position out of bounds", table.insert, { 1 }, 5, 1)
    fails("insert with too many arguments", "wrong number of arguments to 'insert'", table.insert, {}, 1, 2, 3)
    is("remove", pack(table.remove(t), table.remove(t, 1), table.remove(t, 2), text(t)), 4, 0, "x", "1,2,3")
    is("remove of nothing", pack(table.remove({})), nil)
    is("remove behind the last", pack(table.remove({ 1 }, 2)), nil)
    fails("remove outside", "position out of bounds", table.remove, { 1, 2 }, 7)

    is("concat", pack(text {}, text { 1, "a", 2.5 }, table.concat({ 1, 2, 3 }, "-", 2), table.concat({ 1, 2, 3 }, "-", 2, 2)),
      "", "1,a,2.5", "2-3", "2")
    is("concat of an empty range", table.concat({ 1, 2 }, ",", 2, 1), "")
    fails("concat of a table", "invalid value (table) at index 2 in table for 'concat'", table.concat, { 1, {} })
    is("concat uses __index", table.concat(setmetatable({}, { __index = function(_, i) return i end, __len = function() return 3 end })), "123")

    is("pack", pack(table.pack().n, table.pack(nil, nil).n, table.pack(1, nil, 3)[3]), 0, 2, 3)
    is("unpack", pack(table.unpack { 1, 2, 3 }), 1, 2, 3)
    is("unpack of a range", pack(table.unpack({ 1, 2, 3 }, 2, 4)), 2, 3, nil)
    is("unpack of nothing", pack(table.unpack({}, 1, 0)))
    is("select", pack(select("#"), select("#", nil, nil), select(2, "a", "b", "c")), 0, 2, "b", "c")
    is("select from the end", pack(select(-2, "a", "b", "c")), "b", "c")

    is("move", pack(text(table.move({ 1, 2, 3 }, 1, 3, 2)), text(table.move({ 1, 2, 3 }, 2, 3, 1))), "1,1,2,3", "2,3,3")
    is("move into another", text(table.move({ 1, 2 }, 1, 2, 2, { 9 })), "9,1,2")
    is("move of nothing", text(table.move({ 1, 2 }, 1, 0, 5)), "1,2")

    local numbers = { 5, 2, 8, 1, 9, 3 }
    table.sort(numbers)
    is("sort", text(numbers), "1,2,3,5,8,9")
    table.sort(numbers, function(a, b) return a > b end)
    is("sort by a function", text(numbers), "9,8,5,3,2,1")
    local names = { "b", "a", "C", "" }
    table.sort(names)
    is("sort of texts", text(names), ",C,a,b")
    fails("sort of what cannot be compared", "attempt to compare", table.sort, { 1, "x" })
    local rows = {}
    for i = 1, 100 do rows[i] = { key = i % 5, i = i } end
    table.sort(rows, function(a, b) return a.key < b.key end)
    local stable = true
    for i = 2, 100 do stable = stable and (rows[i - 1].key < rows[i].key or rows[i - 1].i < rows[i].i) end
    is("sort is stable here", stable, true)
    local single = { 1 }
    table.sort(single, function() error("not called") end)
    is("sort of one asks nobody", single[1], 1)
    local meta = { __lt = function(a, b) return a.v < b.v end }
    local objects = { setmetatable({ v = 2 }, meta), setmetatable({ v = 1 }, meta) }
    table.sort(objects)
    is("sort uses __lt", objects[1].v, 1)

    -- iteration
    local seen = {}
    for i, v in ipairs { "a", "b", nil, "d" } do seen[#seen + 1] = i .. v end
    is("ipairs stops at the first nil", text(seen), "1a,2b")
    local via = {}
    for i, v in ipairs(setmetatable({}, { __index = function(_, i) if i <= 3 then return i * i end end })) do via[i] = v end
    is("ipairs uses __index", text(via), "1,4,9")
    local order = {}
    for k in pairs { 10, 20, z = 1, a = 2, [0.5] = 3, [true] = 4 } do order[#order + 1] = tostring(k) end
    is("pairs: a defined order here", text(order), "1,2,true,0.5,a,z")
    local cleared = { a = 1, b = 2, c = 3 }
    for k in pairs(cleared) do cleared[k] = nil end
    is("pairs: fields may be removed on the way", next(cleared), nil)
    is("next", pack(next({}), next({ 5 })), nil, 1, 5)
    local custom = {}
    for k, v in pairs(setmetatable({}, { __pairs = function() return function(_, k) if not k then return 1, 2 end end end })) do
      custom[#custom + 1] = k + v
    end
    is("__pairs", text(custom), "3")

    -- metatables
    local V = {}
    V.__index = V
    function V.new(x) return setmetatable({ x = x }, V) end
    V.__add = function(a, b) return V.new(a.x + b.x) end
    V.__unm = function(a) return V.new(-a.x) end
    V.__eq = function(a, b) return a.x == b.x end
    V.__lt = function(a, b) return a.x < b.x end
    V.__le = function(a, b) return a.x <= b.x end
    V.__len = function(a) return a.x end
    V.__call = function(self, y) return self.x + y end
    V.__concat = function(a, b) return (type(a) == "table" and a.x or a) .. "~" .. (type(b) == "table" and b.x or b) end
    V.__idiv = function() return "idiv" end
    V.__band = function() return "band" end
    V.__shl = function() return "shl" end
    V.__bnot = function() return "bnot" end
    V.__mod = function() return "mod" end
    V.__pow = function() return "pow" end
    V.__div = function() return "div" end
    V.__tostring = function(a) return "V(" .. a.x .. ")" end
    V.__name = "V"
    local a, b = V.new(1), V.new(2)
    is("__add, __unm", pack((a + b).x, (-a).x), 3, -1)
    is("__eq, __lt, __le", pack(a == V.new(1), a ~= b, a < b, a <= b, a > b, a >= b), true, true, true, true, false, false)
    is("__len, __call, __concat", pack(#a, a(10), a .. b, a .. "x", "x" .. a), 1, 11, "1~2", "1~x", "x~1")
    is("__idiv, __band, __shl, __bnot", pack(a // b, a & b, a << b, ~a), "idiv", "band", "shl", "bnot")
    is("__mod, __pow, __div", pack(a % b, a ^ b, a / b), "mod", "pow", "div")
    is("__tostring", tostring(a), "V(1)")
    is("rawequal, rawlen, rawget, rawset", pack(rawequal(a, V.new(1)), rawlen({ 1, 2 }), rawget(a, "new"), rawset({}, "k", 1).k),
      false, 2, nil, 1)
    local log = {}
    local proxy = setmetatable({}, { __index = function(_, k) return k .. "!" end, __newindex = function(_, k, v) log[#log + 1] = k .. "=" .. v end })
    proxy.x = 1
    is("__index and __newindex", pack(proxy.y, text(log), rawget(proxy, "x")), "y!", "x=1", nil)
    is("inheritance", setmetatable({}, { __index = setmetatable({ p = 1 }, { __index = { q = 2 } }) }).q, 2)
    is("getmetatable", pack(getmetatable(a) == V, getmetatable({}), getmetatable(setmetatable({}, { __metatable = "no" }))), true, nil, "no")
    fails("a protected metatable", "cannot change a protected metatable", setmetatable, setmetatable({}, { __metatable = 1 }), {})
    local closed = {}
    do
      local _ <close> = setmetatable({}, { __close = function(_, e) closed[#closed + 1] = tostring(e) end })
    end
    pcall(function()
      local _ <close> = setmetatable({}, { __close = function(_, e) closed[#closed + 1] = tostring(e) end })
      error("why", 0)
    end)
    is("__close", text(closed), "nil,why")
    is("weak tables work", getmetatable(setmetatable({}, { __mode = "k" })).__mode, "k")
  end,
}
