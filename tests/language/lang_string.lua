-- The string library.
return {
  name = "lang_string",
  version = "1.0.0",
  run = function(check)
    local is, fails, pack = check.is, check.fails, table.pack

    is("len counts bytes", pack(#"abc", ("a\0b"):len(), #"ä"), 3, 3, 2)
    is("byte", pack(("abc"):byte()), 97)
    is("byte of a range", pack(("abc"):byte(2, -1)), 98, 99)
    is("byte outside", pack(("abc"):byte(10)))
    is("char", string.char(72, 105, 0, 255), "Hi\0\xff")
    is("char of nothing", string.char(), "")
    fails("char out of range", "value out of range", string.char, 256)
    is("sub", pack(("hello"):sub(2, 3), ("hello"):sub(-3), ("hello"):sub(2), ("hello"):sub(4, 2)), "el", "llo", "ello", "")
    is("sub beyond", pack(("hello"):sub(-100, 100), ("hello"):sub(6), ("hello"):sub(0)), "hello", "", "hello")
    is("sub at the border of integers", ("hello"):sub(math.mininteger, math.maxinteger), "hello")
    is("upper, lower", pack(("Hello ä"):upper(), ("HELLO"):lower()), "HELLO ä", "hello")
    is("reverse", pack(("abc"):reverse(), (""):reverse()), "cba", "")
    is("rep", pack(("ab"):rep(3), ("ab"):rep(3, "-"), ("x"):rep(0), ("x"):rep(-1), ("x"):rep(1, "-")),
      "ababab", "ab-ab-ab", "", "", "x")
    is("concatenation converts numbers", 1 .. "|" .. 2.0 .. "|" .. -0.0, "1|2.0|-0.0")
    fails("concatenation of nil", "attempt to concatenate a nil value", function() return "a" .. nil end)
    is("comparison by bytes", pack("a" < "b", "a" < "B", "" < "a", "a\0a" < "a\0b", "Z" < "a"), true, false, true, true, true)
    is("equality", pack("a" == "a", "1" == 1), true, false)
    is("arithmetic converts", pack("10" + 5, "3" * "4", "0x10" + 0, "1e1" + 0), 15, 12, 16, 10.0)
    fails("arithmetic on text", "attempt to ", function() return "a" + 1 end)

    -- format
    is("format %d", pack(("%d|%5d|%-5d|%05d|%+d"):format(42, 42, 42, 42, 42)), "42|   42|42   |00042|+42")
    is("format %d of a float that is whole", ("%d"):format(3.0), "3")
    fails("format %d of another float", "number has no integer representation", string.format, "%d", 3.5)
    is("format %i", ("%i"):format(-7), "-7")
    is("format %c", ("%c%c"):format(72, 105), "Hi")
    is("format %x %X %o", ("%x|%X|%#x|%o"):format(255, 255, 255, 8), "ff|FF|0xff|10")
    is("format %f", ("%f|%.2f|%8.3f|%-8.1f|"):format(1.5, 1.005, 3.14159, 2.25), "1.500000|1.00|   3.142|2.2     |")
    is("format %e %E", ("%e|%.1E"):format(12345.678, 0.00012), "1.234568e+04|1.2E-04")
    is("format %g %G", ("%g|%g|%g|%G"):format(100000, 1e20, 0.0001, 1e-10), "100000|1e+20|0.0001|1E-10")
    is("format %a", ("%a"):format(1.0), "0x1p+0")
    is("format %s", ("%s|%5s|%-5s|%.2s|"):format("abc", "abc", "abc", "abc"), "abc|  abc|abc  |ab|")
    is("format %s of others", ("%s %s %s"):format(nil, true, 1.5), "nil true 1.5")
    is("format %s uses __tostring", ("%s"):format(setmetatable({}, { __tostring = function() return "me" end })), "me")
    is("format %q", ("%q"):format('a "quoted"\n\0line\\'), '"a \\"quoted\\"\\\n\\0line\\\\"')
    is("format %q of numbers", pack(("%q|%q"):format(7, math.mininteger)), "7|0x8000000000000000")
    is("format %%", ("100%%"):format(), "100%")
    is("format of infinities", ("%d|%.1f|%.1f"):format(0, math.huge, -math.huge), "0|inf|-inf")
    fails("format without its argument", "bad argument #2 to 'format'", string.format, "%d")
    fails("format of the wrong type", "number expected, got string", string.format, "%d", "x")
    fails("format that is not known", "invalid conversion '%y' to 'format'", string.format, "%y", 1)
    is("format converts numeric text", ("%d %s"):format("12", 12), "12 12")

    -- find, match
    is("find", pack(("hello world"):find("wor")), 7, 9)
    is("find from a place", pack(("aXbX"):find("X", 3)), 4, 4)
    is("find plain", pack(("a.b"):find(".", 1, true)), 2, 2)
    is("find nothing", pack(("abc"):find("")), 1, 0)
    is("find beyond the end", pack(("abc"):find("", 10)), nil)
    is("find with captures", pack(("key=val"):find("(%w+)=(%w+)")), 1, 7, "key", "val")
    is("find in NUL bytes", pack(("a\0b"):find("\0")), 2, 2)
    is("match", pack(("2024-05-06"):match("(%d+)-(%d+)-(%d+)")), "2024", "05", "06")
    is("match without captures", ("hello 42"):match("%d+"), "42")
    is("match of a position", pack(("hello"):match("()ll()")), 3, 5)
    is("match fails", pack(("abc"):match("%d")), nil)
    is("anchors", pack(("abc"):match("^b"), ("abc"):match("c$"), ("a^b"):match("a^b")), nil, "c", "a^b")
    is("character classes", pack(("a1 ,\tZ"):match("^%a%d%s%p%c%u$")), "a1 ,\tZ")
    is("their complements", pack((" x"):match("%S"), ("1a"):match("%D"), ("_a"):match("%W")), "x", "a", "_")
    is("hexadecimal, alphanumeric, lower", pack(("xyzBEEF"):match("%x+"), ("--a1--"):match("%w+"), ("ABc"):match("%l")),
      "BEEF", "a1", "c")
    is("printable", ("\1a b\2"):match("%g+"), "a")
    is("sets", pack(("hello"):match("[aeiou]"), ("x-y"):match("[%-]"), ("a]b"):match("[]]"), ("q"):match("[^a-p]")),
      "e", "-", "]", "q")
    is("greedy and not", pack(("<<a>>"):match("<.*>"), ("<<a>>"):match("<.->"), ("aaa"):match("a?"), ("aaa"):match("a+")),
      "<<a>>", "<<a>", "a", "aaa")
    is("balance", ("f(a(b)c)d"):match("%b()"), "(a(b)c)")
    is("frontier", pack(("THE (quick) fox"):find("%f[%a]%a+%f[%A]")), 1, 3)
    is("back reference", ("say 'hi' now"):match("(['\"])(.-)%1"), "'")
    is("nested captures", pack(("abc"):match("((a)(b))")), "ab", "a", "b")
    is("escapes of magic", ("1+1=2"):match("%d%+%d"), "1+1")

    -- gmatch, gsub
    local words = {}
    for word in ("one two  three"):gmatch("%a+") do words[#words + 1] = word end
    is("gmatch", table.concat(words, ","), "one,two,three")
    local pairs_ = {}
    for k, v in ("a=1, b=2"):gmatch("(%w+)=(%w+)") do pairs_[#pairs_ + 1] = k .. v end
    is("gmatch with captures", table.concat(pairs_, ","), "a1,b2")
    local empty = 0
    for _ in ("abc"):gmatch("") do empty = empty + 1 end
    is("gmatch of nothing", empty, 4)
    is("gmatch from a place", ("abcd"):gmatch("%a", 3)(), "c")
    is("gsub", pack(("hello world"):gsub("o", "0")), "hell0 w0rld", 2)
    is("gsub a few", pack(("aaa"):gsub("a", "b", 2)), "bba", 2)
    is("gsub with captures", (("John Smith"):gsub("(%w+) (%w+)", "%2 %1")), "Smith John")
    is("gsub with %0 and %%", (("abc"):gsub("%w", "%0%0%%")), "aa%bb%cc%")
    is("gsub with a table", (("$name is $age"):gsub("%$(%w+)", { name = "Ann", age = 7 })), "Ann is 7")
    is("gsub with a function", (("abc"):gsub(".", function(c) if c ~= "b" then return c:upper() end end)), "AbC")
    is("gsub keeps what false says", (("abc"):gsub(".", function() return false end)), "abc")
    is("gsub of nothing", pack(("abc"):gsub("", "-")), "-a-b-c-", 4)
    is("gsub anchored", pack(("aaa"):gsub("^a", "b")), "baa", 1)
    fails("gsub with a wrong value", "invalid replacement value (a table)", function() return ("x"):gsub("x", function() return {} end) end)
    fails("gsub with a wrong escape", "invalid use of '%'", function() return ("x"):gsub("x", "%q") end)

    -- pack, unpack
    is("pack and unpack", pack(string.unpack("<i4", string.pack("<i4", -2))), -2, 5)
    is("byte orders", pack(string.pack(">I2", 258), string.pack("<I2", 258)), "\1\2", "\2\1")
    is("packed sizes", pack(string.packsize("<i4i8"), string.packsize("!8i4i8"), string.packsize("bhl")), 12, 16, 11)
    is("packed text", pack(string.unpack("z", "abc\0def")), "abc", 5)
    is("packed text with its length", string.pack(">s2", "hi"), "\0\2hi")
    is("packed floats", pack(string.unpack("<d", string.pack("<d", 0.1))), 0.1, 9)
    is("packed fixed", string.pack("c5", "abc"), "abc\0\0")
    is("unpack from a place", pack(string.unpack("<I1", "\1\2\3", 3)), 3, 4)
    is("integers of many bytes", pack(string.unpack("<i16", string.pack("<i16", -1))), -1, 17)
    fails("a value that does not fit", "integer overflow", string.pack, "i1", 200)
    fails("an unsigned one", "unsigned overflow", string.pack, "I1", 256)
    fails("a text with a zero", "string contains zeros", string.pack, "z", "a\0b")
    fails("data that is short", "data string too short", string.unpack, "<i4", "abc")
    is("methods", pack(("x"):rep(2):upper(), #("%d"):format(10)), "XX", 2)
    fails("indexing what is not there", "attempt to call a nil value (method 'nothing')", function() return ("x"):nothing() end)

    -- numbers and texts
    is("tonumber", pack(tonumber("10"), tonumber(" 0x1F "), tonumber("1e2"), tonumber("5."), tonumber(".5")), 10, 31, 100.0, 5.0, 0.5)
    is("tonumber refuses", pack(tonumber(""), tonumber("1 2"), tonumber("0x"), tonumber("1e"), tonumber("abc"), tonumber("1_000")),
      nil, nil, nil, nil, nil, nil)
    is("tonumber with a base", pack(tonumber("ff", 16), tonumber("777", 8), tonumber("zz", 36), tonumber("8", 8), tonumber("-101", 2)),
      255, 511, 1295, nil, -5)
    is("tostring", pack(tostring(1), tostring(1.0), tostring(-0.0), tostring(1e15), tostring(1e100), tostring(2^63), tostring(true), tostring(nil)),
      "1", "1.0", "-0.0", "1e+15", "1e+100", "9.2233720368548e+18", "true", "nil")
    is("escapes in source", "\65\x42\u{43}\z
        D", "ABCD")
    is("long brackets", [==[
a]]b]==], "a]]b")
  end,
}
