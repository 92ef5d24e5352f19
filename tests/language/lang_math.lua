-- The math library, integers and floats.
return {
  name = "lang_math",
  version = "1.0.0",
  run = function(check)
    local is, fails, pack = check.is, check.fails, table.pack

    is("kinds", pack(math.type(1), math.type(1.0), math.type("1"), math.type(nil)), "integer", "float", nil, nil)
    is("the border of integers", pack(math.maxinteger, math.mininteger, math.maxinteger + 1 == math.mininteger),
      9223372036854775807, -9223372036854775807 - 1, true)
    is("literals", pack(0xff, 0x7fffffffffffffff, 0xffffffffffffffff, 1e3, 0x1p4, 9223372036854775808),
      255, math.maxinteger, -1, 1000.0, 16.0, 2.0^63)
    is("division", pack(7 / 2, 8 / 2, 7 // 2, -7 // 2, 7 // -2, 7.0 // 2), 3.5, 4.0, 3, -4, -4, 3.0)
    is("modulo", pack(7 % 3, -7 % 3, 7 % -3, 5.5 % 2, -5.5 % 2, 5 % math.huge, -5 % math.huge), 1, 2, -2, 1.5, 0.5, 5.0, math.huge)
    is("by zero, as floats", pack(1 / 0, -1 / 0, 1 // 0.0, 0 / 0 ~= 0 / 0, 1 % math.huge), math.huge, -math.huge, math.huge, true, 1.0)
    fails("by zero, as integers", "lang_math.lua:", function(z) return 1 // z end, 0)
    fails("modulo zero", "lang_math.lua:", function(z) return 1 % z end, 0)
    is("powers", pack(2 ^ 10, 2 ^ 0.5, (-8) ^ (1 / 3) ~= (-8) ^ (1 / 3), -2 ^ 2), 1024.0, math.sqrt(2), true, -4.0)
    is("precedence", pack(2 + 3 * 4 ^ 2 / 2, not nil == true, 1 .. 2 == "12", -3 % 5, 2 ^ 3 ^ 2), 26.0, true, true, 2, 512.0)
    is("comparison across kinds", pack(1 == 1.0, math.maxinteger < math.huge, 2^53 == 2^53 + 1, (1 << 53) + 1 == 2^53, 1 < 1.5),
      true, true, true, false, true)
    is("bits", pack(0xF0 & 0x3C, 0xF0 | 0x0F, 0xF0 ~ 0xFF, ~0, 1 << 62, 1 << 64, -1 >> 60, 1 << -1, 2.0 | 1),
      0x30, 0xFF, 0x0F, -1, 1 << 62, 0, 15, 0, 3)
    fails("bits of a float", "has no integer representation", function(x) return x | 1 end, 1.5)
    fails("bits of a text", "attempt to perform bitwise operation", function(x) return x | 1 end, "a")

    is("abs", pack(math.abs(-5), math.abs(-5.5), math.abs(math.mininteger)), 5, 5.5, math.mininteger)
    is("ceil and floor", pack(math.ceil(1.2), math.ceil(-1.2), math.floor(1.8), math.floor(-1.2), math.floor(3), math.ceil(1e300)),
      2, -1, 1, -2, 3, 1e300)
    is("max and min", pack(math.max(1, 5, 3), math.max(1, 2.5), math.min(3, -1), math.min(1)), 5, 2.5, -1, 1)
    fails("max of nothing", "bad argument #1", math.max)
    is("fmod", pack(math.fmod(7, 3), math.fmod(-7, 3), math.fmod(5.5, 2)), 1, -1, 1.5)
    fails("fmod by zero", "zero", math.fmod, 1, 0)
    is("modf", pack(math.modf(3.7) == 3, select(2, math.modf(3.7)), math.modf(-3.7) == -3), true, 3.7 - 3, true)
    is("modf of infinities", pack(math.modf(-math.huge)), -math.huge, 0.0)
    is("sqrt, exp, log", pack(math.sqrt(16), math.exp(0), math.log(1), math.log(8, 2), math.log(1000, 10), math.log(9, 3)),
      4.0, 1.0, 0.0, 3.0, 3.0, math.log(9) / math.log(3))
    is("sines", pack(math.sin(0), math.cos(0), math.tan(0), math.asin(0), math.acos(1), math.atan(0), math.atan(1, -1)),
      0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 3 * math.pi / 4)
    is("pi and huge", pack(("%.15f"):format(math.pi), math.huge > math.maxinteger, -math.huge < math.mininteger), "3.141592653589793", true, true)
    is("tointeger", pack(math.tointeger(3.0), math.tointeger(3.5), math.tointeger("8"), math.tointeger(2^63)), 3, nil, 8, nil)
    is("ult", pack(math.ult(1, 2), math.ult(-1, 1)), true, false)

    local inside = true
    for _ = 1, 1000 do
      local r, n, m = math.random(), math.random(6), math.random(-3, 3)
      inside = inside and r >= 0 and r < 1 and n >= 1 and n <= 6 and m >= -3 and m <= 3
    end
    is("random is inside", inside, true)
    is("random of all bits is an integer", math.type(math.random(0)), "integer")
    fails("random of an empty range", "interval is empty", math.random, 2, 1)
    math.randomseed(7)
    local first = pack(math.random(1000), math.random(1000))
    math.randomseed(7)
    is("randomseed repeats", pack(math.random(1000), math.random(1000)), first[1], first[2])

    local t = {}
    for i = 1, 3 do t[#t + 1] = i end
    for i = 10, 1, -4 do t[#t + 1] = i end
    for i = 1.0, 2 do t[#t + 1] = i end
    for _ = 1, 0 do t[#t + 1] = "never" end
    is("numeric for", table.concat(t, " "), "1 2 3 10 6 2 1.0 2.0")
    local n = 0
    for _ = math.maxinteger - 1, math.maxinteger do n = n + 1 end
    is("for does not wrap", n, 2)
    fails("for with a step of zero", "'for' step is zero", function() for _ = 1, 2, 0 do end end)
    fails("for with a text", "'for' initial value", function() for _ = "a", 2 do end end)
    is("integers and texts", pack(10 // 3 .. "", 2^31 | 0, "0x10" * 1, 1e15 // 1 | 0), "3", 1 << 31, 16, 1000000000000000)
  end,
}
