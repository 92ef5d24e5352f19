-- The utf8 library.
return {
  name = "lang_utf8",
  version = "1.0.0",
  run = function(check)
    local is, fails, pack = check.is, check.fails, table.pack
    local text = "aä€😀"

    is("char", pack(utf8.char(97, 228, 8364, 128512), utf8.char()), text, "")
    fails("char out of range", "value out of range", utf8.char, -1)
    is("charpattern", (function() local n = 0 for _ in text:gmatch(utf8.charpattern) do n = n + 1 end return n end)(), 4)
    is("len", pack(utf8.len(text), utf8.len(""), utf8.len(text, 2), utf8.len(text, -4)), 4, 0, 3, 1)
    is("len of a range", pack(utf8.len(text, 2, 4)), 2)
    is("len of what is not UTF-8", pack(utf8.len("ab\xff")), nil, 3)
    is("len of a surrogate", pack(utf8.len("\u{D800}")), nil, 1)
    is("len, lax", pack(utf8.len("\u{D800}", 1, -1, true)), 1)
    is("len of an overlong form", pack(utf8.len("\xc0\x80")), nil, 1)
    is("len of a text cut off", pack(utf8.len("€x", 1, 2)), 1)
    fails("len outside", "out of bounds", utf8.len, "abc", 10)
    is("codepoint", pack(utf8.codepoint(text, 1, -1)), 97, 228, 8364, 128512)
    is("codepoint of one", pack(utf8.codepoint("€")), 8364)
    fails("codepoint of what is not UTF-8", "invalid UTF-8 code", utf8.codepoint, "\xff")
    is("offset", pack(utf8.offset(text, 1), utf8.offset(text, 2), utf8.offset(text, 3), utf8.offset(text, 4), utf8.offset(text, 5)),
      1, 2, 4, 7, 11)
    is("offset from the end", pack(utf8.offset(text, -1), utf8.offset(text, -2)), 7, 4)
    is("offset of none", pack(utf8.offset(text, 9)), nil)
    is("offset of the character that holds a byte", utf8.offset(text, 0, 6), 4)
    fails("offset from within a character", "initial position is a continuation byte", utf8.offset, text, 1, 3)
    local seen = {}
    for p, c in utf8.codes(text) do seen[#seen + 1] = p .. ":" .. c end
    is("codes", table.concat(seen, " "), "1:97 2:228 4:8364 7:128512")
    fails("codes of what is not UTF-8", "invalid UTF-8 code", function() for _ in utf8.codes("a\xffb") do end end)
    is("escapes in source", pack("\u{48}\u{49}", #"\u{7FFFFFFF}"), "HI", 6)
    is("substrings by characters", text:sub(utf8.offset(text, 2), utf8.offset(text, 4) - 1), "ä€")
  end,
}
