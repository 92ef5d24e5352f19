/* The Lua that skills may rely on, and what differs from stock Lua: order of pairs, tostring, sort,
 * random, metatables, coroutines, JSON. Each row is the body of a run function; it passes when it
 * returns true. */
#ifndef C9_TESTS_SANDBOX_VM_ROWS_H
#define C9_TESTS_SANDBOX_VM_ROWS_H

static const struct {
    const char *says, *body;
} vm_rows[] = {
    /* pairs and next */
    {"pairs: indices, booleans, numbers, strings",
     "local t = { 10, 20, 30, z = 1, a = 2, [true] = 3, [false] = 4, [-1] = 5, [0.5] = 6, [0] = 7, "
     "[100] = 8, ['a\\0b'] = 9 }\n"
     "local k = {} for key, v in pairs(t) do assert(rawequal(t[key], v)) k[#k + 1] = tostring(key) "
     "end\n"
     "return table.concat(k, ' ') == '1 2 3 100 false true -1 0 0.5 a a\\0b z'"},
    {"pairs: the same order however the table was built",
     "local function order(t) local s = {} for k in pairs(t) do s[#s + 1] = tostring(k) end return "
     "table.concat(s, ',') end\n"
     "local a, b = {}, {} for i = 1, 50 do a[i] = i a['k' .. i] = i end for i = 50, 1, -1 do b['k' "
     ".. i] = i b[i] = i end\n"
     "return order(a) == order(b)"},
    {"pairs: fields may be assigned and removed on the way",
     "local t, n = {}, 0 for i = 1, 100 do t[i] = i t['k' .. i] = i end\n"
     "for k in pairs(t) do t[k] = nil n = n + 1 end return n == 200 and next(t) == nil"},
    {"pairs: removed ones are not visited", "local t, n = { a = 1, b = 2, c = 3 }, 0 for k in "
                                            "pairs(t) do t.b = nil n = n + 1 end return n == 2"},
    {"pairs: __pairs", "local t = setmetatable({}, { __pairs = function(t) return function(_, k) "
                       "if not k then return 1, 2 end end, t, nil end })\n"
                       "for k, v in pairs(t) do return k == 1 and v == 2 end"},
    {"pairs: __pairs may yield", "local t = setmetatable({}, { __pairs = function(t) "
                                 "coroutine.yield() return next, {}, nil end })\n"
                                 "local co = coroutine.wrap(function() for _ in pairs(t) do end "
                                 "return true end) co() return co()"},
    {"pairs: large tables",
     "local t = {} for i = 1, 20000 do t['k' .. i] = i end local last, n = '', 0\n"
     "for k in pairs(t) do assert(k > last) last = k n = n + 1 end return n == 20000"},
    {"pairs: tables as keys", "local a, b = {}, {} local t, n = { [a] = 1, [b] = 2, [print] = 3 }, "
                              "0 for k, v in pairs(t) do n = n + v end return n == 6"},
    {"pairs of a read-only table does not lead to the real one",
     "local f, s = pairs(string) local ok = pcall(function() s.format = nil end) return not ok and "
     "string.format('x') == 'x'"},
    {"next: the same order as pairs",
     "local t = { 1, 2, x = 3, [true] = 4, y = 5 } local k, a, b = nil, {}, {} repeat k = next(t, "
     "k) a[#a + 1] = tostring(k) until k == nil\n"
     "for key in pairs(t) do b[#b + 1] = tostring(key) end b[#b + 1] = 'nil' return "
     "table.concat(a) == table.concat(b)"},
    {"next: two walks at once",
     "local t, n = { a = 1, b = 2, c = 3 }, 0 local k = next(t) while k do local j = next(t) while "
     "j do n = n + 1 j = next(t, j) end k = next(t, k) end return n == 9"},
    {"next: a large walk", "local t, n, k = {}, 0, nil for i = 1, 5000 do t['k' .. i] = i end k = "
                           "next(t) while k do n = n + 1 k = next(t, k) end return n == 5000"},
    {"next of nothing", "return next({}) == nil and next({}, nil) == nil"},
    /* text */
    {"tostring has no addresses",
     "local t, f = {}, print return tostring(t) == 'table#1' and tostring(f) == 'function#2' and "
     "tostring(t) == 'table#1'"
     " and tostring(c9.null) == 'null' and tostring(coroutine.create(f)) == 'thread#3'"},
    {"string.format has none either",
     "return ('%s|%5.1f|%d|%%s|%q'):format({}, 1.25, 3, 'x') == 'table#1|  1.2|3|%s|\"x\"' and not "
     "pcall(string.format, '%p', {})"},
    {"__tostring and __name",
     "local t = setmetatable({}, { __tostring = function() return 'me' end }) return "
     "('%s'):format(t) == 'me'"
     " and tostring(setmetatable({}, { __name = 'N' })):match('^N#') ~= nil"},
    {"string.rep of nothing takes no time",
     "return ('').rep('', math.maxinteger) == '' and not pcall(string.rep, 'x', math.maxinteger)"},
    {"string methods", "return ('abc'):upper() == 'ABC' and #('x'):rep(3, ',') == 5 and "
                       "('k=v'):match('(%w)=(%w)') == 'k' and string.dump == nil"},
    {"the metatable of strings is out of reach",
     "return getmetatable('') == 'string' and not pcall(setmetatable, '', {})"},
    {"utf8", "return utf8.char(233, 8364) == 'é€' and utf8.len('é€') == 2"},
    /* table */
    {"sort: numbers, strings, order functions",
     "local t = { 3, 1, 2 } table.sort(t) assert(table.concat(t) == '123') table.sort(t, "
     "function(a, b) return a > b end) return table.concat(t) == '321'"},
    {"sort is stable", "local t = {} for i = 1, 1000 do t[i] = { k = i % 7, i = i } end "
                       "table.sort(t, function(a, b) return a.k < b.k end)\n"
                       "for i = 2, 1000 do assert(t[i-1].k < t[i].k or (t[i-1].k == t[i].k and "
                       "t[i-1].i < t[i].i)) end return true"},
    {"sort: a contradictory order does no harm",
     "local t, s = {}, 0 for i = 1, 500 do t[i] = i end table.sort(t, function() return true end)\n"
     "for _, v in ipairs(t) do s = s + v end return s == 500 * 501 // 2"},
    {"sort: an error leaves the table", "local t = { 3, 'x', 1 } local ok = pcall(table.sort, t) "
                                        "return not ok and t[1] == 3 and t[2] == 'x'"},
    {"table.concat, insert, remove, unpack, move, pack",
     "local t = table.pack(1, 2, 3) table.insert(t, 2, 9) table.remove(t, 1) return "
     "table.concat(t, '-', 1, 3) == '9-2-3' and select('#', table.unpack(t)) == 3 and "
     "#table.move({ 1, 2 }, 1, 2, 3) == 4"},
    /* numbers */
    {"random: seeded from the execution",
     "local a = { math.random(1000000), math.random(), math.random(5, 6) } math.randomseed() "
     "return a[1] == math.random(1000000) and a[2] == math.random()"},
    {"random: in range",
     "for _ = 1, 2000 do local n = c9.random(-3, 3) assert(n >= -3 and n <= 3) local f = "
     "c9.random() assert(f >= 0 and f < 1) end return not pcall(math.random, 2, 1)"
     " and math.type(math.random(math.mininteger, math.maxinteger)) == 'integer'"},
    {"randomseed repeats", "math.randomseed(42) local a = math.random(1 << 40) math.randomseed(42) "
                           "return a == math.random(1 << 40)"},
    {"uuid: version 4, unlike each other, whatever the seed of math.random",
     "math.randomseed(1) local a = c9.uuid() math.randomseed(1) local b = c9.uuid()\n"
     "return a ~= b and a:match('^%x+%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x+$') ~= nil and #a == "
     "36"},
    {"integers and floats", "return 7 // 2 == 3 and 1 / 2 == 0.5 and math.type(2^2) == 'float' and "
                            "1 == 1.0 and math.tointeger(3.0) == 3"},
    /* metatables and environments */
    {"no finalizers", "local ok, e = pcall(setmetatable, {}, { __gc = print }) return not ok and "
                      "e:find('__gc is not available', 1, true) ~= nil"},
    {"but close", "local n = 0 do local x <close> = setmetatable({}, { __close = function() n = 1 "
                  "end }) end return n == 1"},
    {"metamethods",
     "local V = {} V.__index = V V.__add = function(a, b) return a.n + b.n end V.__call = "
     "function(self, x) return self.n + x end V.__len = function() return 9 end\n"
     "local v = setmetatable({ n = 1 }, V) return v + v == 2 and v(1) == 2 and #v == 9 and "
     "rawlen(v) == 0 and getmetatable(v) == V"},
    {"protected metatables", "local t = setmetatable({}, { __metatable = 1 }) return "
                             "getmetatable(t) == 1 and not pcall(setmetatable, t, {})"},
    {"arrays show no metatable and may have another",
     "local t = c9.json.array{} return getmetatable(t) == nil and getmetatable(setmetatable(t, { "
     "__index = { x = 1 } })).__index.x == 1"},
    {"own globals", "x = 1 return x == 1 and _ENV.x == 1 and misspelt == nil and not "
                    "pcall(setmetatable, _ENV, nil)"},
    {"host tables refuse writes", "for _, t in ipairs{ c9, c9.log, string, table, math, utf8, "
                                  "coroutine } do assert(not pcall(function() t.x = 1 end) and not "
                                  "pcall(rawset, t, 'x', 1) and t.x == nil) end return true"},
    {"read-only tables read like others",
     "return #c9.skills.list() == 0 and rawget(math, 'pi') == math.pi and next(c9.log) == 'debug' "
     "and rawlen(c9.skills.list()) == 0"},
    /* errors */
    {"pcall, xpcall, error levels",
     "local ok, e = pcall(error, { 1 }) assert(not ok and e[1] == 1) local _, m = "
     "xpcall(function() error('x', 0) end, function(e) return e .. '!' end) return m == 'x!' and "
     "select('#', pcall(error)) == 2"},
    {"pcall gives all results, and may yield",
     "local co = coroutine.wrap(function() return pcall(function(a) return coroutine.yield(a), 2 "
     "end, 1) end) local a = co() local ok, b, c = co(5) return a == 1 and ok and b == 5 and c == "
     "2"},
    {"xpcall may yield, too",
     "local co = coroutine.wrap(function() return xpcall(function(a) coroutine.yield(a) error('e', "
     "0) end, string.upper, 1) end) co() local ok, e = co() return not ok and e == 'E'"},
    {"assert and select",
     "return select(-1, 1, 2) == 2 and not pcall(assert, false, 'm') and assert(1, 2) == 1"},
    {"stack overflow in C can be caught",
     "local function f() return pcall(f) end local t = setmetatable({}, {}) "
     "getmetatable(t).__index = function(t, k) return t[k .. 1] end return not pcall(function() "
     "return t.x end) and true"},
    /* coroutines */
    {"coroutines", "local co = coroutine.create(function(a, b) local c = coroutine.yield(a + b) "
                   "error(c, 0) end) local ok, n = coroutine.resume(co, 1, 2) assert(ok and n == 3 "
                   "and coroutine.status(co) == 'suspended')\n"
                   "local ok2, e = coroutine.resume(co, 'bad') assert(not ok2 and e == 'bad' and "
                   "coroutine.status(co) == 'dead') local ok3, why = coroutine.resume(co) return "
                   "not ok3 and why == 'cannot resume dead coroutine'"},
    {"wrap raises with position, closes",
     "local n = 0 local f = coroutine.wrap(function() local x <close> = setmetatable({}, { __close "
     "= function() n = 1 end }) error('w') end) local ok, e = pcall(f) return not ok and "
     "e:find('w') ~= nil and n == 1"},
    {"close",
     "local n = 0 local co = coroutine.create(function() local x <close> = setmetatable({}, { "
     "__close = function() n = n + 1 error('c', 0) end }) coroutine.yield() end)\n"
     "coroutine.resume(co) local ok, e = coroutine.close(co) return not ok and e == 'c' and n == 1 "
     "and coroutine.status(co) == 'dead' and coroutine.close(coroutine.create(print))"},
    {"running, isyieldable",
     "local co, main = coroutine.running() assert(main and not coroutine.isyieldable()) return "
     "coroutine.wrap(function() local c, m = coroutine.running() return not m and "
     "coroutine.isyieldable() and coroutine.status(co) == 'normal' end)()"},
    {"a running coroutine cannot be resumed",
     "local co co = coroutine.create(function() return coroutine.resume(co) end) local _, ok, why "
     "= coroutine.resume(co) return not ok and why == 'cannot resume non-suspended coroutine'"},
    {"no endless nesting of coroutines",
     "local function f() return coroutine.wrap(f)() end local ok, e = pcall(f) return not ok and "
     "tostring(e):find('C stack overflow') ~= nil"},
    /* JSON */
    {"json: there and back",
     "local v = { a = { 1, 2.5, 'x\\n\\\"\\\\\\u{1F600}', true, c9.null, {} }, e = c9.json.array{} "
     "} return c9.json.encode(c9.json.decode(c9.json.encode(v))) == c9.json.encode(v)"},
    {"json: numbers",
     "return c9.json.encode{ 1, -0.0, 1e300, 0.1, 2^53, math.mininteger } == "
     "'[1,-0.0,1e+300,0.1,9007199254740992.0,-9223372036854775808]'"
     " and math.type(c9.json.decode('1')) == 'integer' and math.type(c9.json.decode('1.0')) == "
     "'float' and c9.json.decode('12345678901234567890') == 12345678901234567890.0"},
    {"json: arrays stay arrays", "local t = c9.json.decode('{\"a\":[],\"o\":{}}') return "
                                 "c9.json.encode(t) == '{\"a\":[],\"o\":{}}'"},
    {"json: what is refused",
     "for _, s in ipairs{ '', '{', '[1,]', '{\"a\":1,}', '{\"a\":1,\"a\":2}', '01', '1.', '-', "
     "'+1', 'nul', '\"\\x01\"', '\"\\\\x\"', '\"\\\\ud800\"', '\"\\xff\"', '1 2', '[1 2]', "
     "'{1:2}', 'NaN', \"'a'\", '1e999', ('['):rep(200) }\n"
     "do local ok, e = pcall(c9.json.decode, s) assert(not ok and "
     "tostring(e):find('c9.json.decode', 1, true), s) end return true"},
    {"json: escapes", "return c9.json.decode('\"\\\\u00e9\\\\ud83d\\\\ude00\\\\/\\\\b\"') == "
                      "'é😀/\\b' and c9.json.encode('\\1\\127') == '\"\\\\u0001\\127\"'"},
};

#endif
