-- luacheck for skills: exactly the globals that the sandbox has. `luacheck skills` here, or --config this file.
local function fields(...)
  local t = {}
  for _, name in ipairs({ ... }) do
    t[name] = {}
  end
  return { fields = t }
end

stds.c9 = {
  read_globals = {
    "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "print", "rawequal", "rawget", "rawlen",
    "rawset", "select", "setmetatable", "tonumber", "tostring", "type", "xpcall", "_VERSION",
    string = fields("byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "pack", "packsize",
      "rep", "reverse", "sub", "unpack", "upper"),
    table = fields("concat", "insert", "move", "pack", "remove", "sort", "unpack"),
    math = fields("abs", "acos", "asin", "atan", "ceil", "cos", "deg", "exp", "floor", "fmod", "huge", "log", "max",
      "maxinteger", "min", "mininteger", "modf", "pi", "rad", "random", "randomseed", "sin", "sqrt", "tan", "tointeger",
      "type", "ult"),
    utf8 = fields("char", "charpattern", "codepoint", "codes", "len", "offset"),
    coroutine = fields("close", "create", "isyieldable", "resume", "running", "status", "wrap", "yield"),
    c9 = {
      fields = {
        agents = fields("execute"),
        all = {}, emit = {}, now = {}, null = {}, random = {}, secret = {}, sleep = {}, uuid = {}, validate_output = {},
        wait_for = {},
        http = fields("request"),
        json = fields("array", "decode", "encode"),
        log = fields("debug", "error", "info", "warn"),
        model = fields("chat"),
        skills = fields("call", "list", "validate"),
      },
    },
  },
}
std = "c9"
max_line_length = 120
files["library/c9.lua"] = { std = "lua54", globals = { "c9" }, ignore = { "212", "241" } }
files["skills/library/c9.lua"] = files["library/c9.lua"]
