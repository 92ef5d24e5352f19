-- Arithmetic for models, which are bad at it: + - * / % ^, parentheses, a few functions. A parser by precedence;
-- the text is never run as code.

local FUNCTIONS = {
  abs = math.abs, ceil = math.ceil, floor = math.floor, sqrt = math.sqrt, exp = math.exp, log = math.log,
  sin = math.sin, cos = math.cos, tan = math.tan, min = math.min, max = math.max,
}
local CONSTANTS = { pi = math.pi, e = math.exp(1) }
local BINARY = { -- binding power from the left and from the right
  ["+"] = { 1, 2 }, ["-"] = { 1, 2 }, ["*"] = { 3, 4 }, ["/"] = { 3, 4 }, ["%"] = { 3, 4 }, ["^"] = { 8, 7 },
}
local UNARY_POWER = 6
local DEPTH_MAX = 100

local function refuse(message, at)
  error({ code = "InvalidInput", message = message .. " at character " .. at, details = { at = at } })
end

local function tokens_of(text)
  local tokens, at = {}, 1
  while true do
    at = text:find("%S", at)
    if not at then
      break
    end
    local number = text:match("^%d+%.?%d*[eE][+-]?%d+", at) or text:match("^%d*%.?%d+", at)
    local word = text:match("^%a+", at)
    local sign = text:match("^[-+*/%%^(),]", at)
    if not (number or word or sign) then
      refuse("unexpected '" .. text:match("^" .. utf8.charpattern, at) .. "'", at)
    end
    tokens[#tokens + 1] = { number = number and tonumber(number), word = word, sign = sign, at = at }
    at = at + #(number or word or sign)
  end
  tokens[#tokens + 1] = { sign = "end", at = #text + 1 }
  return tokens
end

local function apply(sign, a, b, at)
  if (sign == "/" or sign == "%") and b == 0 then
    refuse("division by zero", at)
  end
  if sign == "+" then return a + b end
  if sign == "-" then return a - b end
  if sign == "*" then return a * b end
  if sign == "/" then return a / b end
  if sign == "%" then return a % b end
  return a ^ b
end

local function evaluate(text)
  local tokens, position = tokens_of(text), 1
  local expression

  local function take(sign)
    local token = tokens[position]
    if token.sign ~= sign then
      refuse("expected '" .. sign .. "'", token.at)
    end
    position = position + 1
  end

  local function call(token, depth)
    local fn = FUNCTIONS[token.word]
    if not fn then
      refuse("unknown name '" .. token.word .. "'", token.at)
    end
    local arguments = {}
    take("(")
    repeat
      arguments[#arguments + 1] = expression(0, depth + 1)
      local more = tokens[position].sign == ","
      if more then
        position = position + 1
      end
    until not more
    take(")")
    return fn(table.unpack(arguments))
  end

  local function operand(depth)
    local token = tokens[position]
    position = position + 1
    if token.number then
      return token.number
    end
    if token.word then
      return CONSTANTS[token.word] or call(token, depth)
    end
    if token.sign == "-" then
      return -expression(UNARY_POWER, depth + 1)
    end
    if token.sign == "(" then
      local value = expression(0, depth + 1)
      take(")")
      return value
    end
    refuse("expected a number", token.at)
  end

  function expression(least, depth)
    if depth > DEPTH_MAX then
      refuse("nested too deeply", tokens[position].at)
    end
    local value = operand(depth)
    while true do
      local token = tokens[position]
      local power = BINARY[token.sign]
      if not power or power[1] < least then
        return value
      end
      position = position + 1
      value = apply(token.sign, value, expression(power[2], depth + 1), token.at)
    end
  end

  local value = expression(0, 1)
  take("end")
  return value
end

local function run(input)
  local value = evaluate(input.expression)
  if value ~= value or value == math.huge or value == -math.huge then
    error({ code = "InvalidInput", message = "the result is not a finite number" })
  end
  return { result = math.tointeger(value) or value }
end

return {
  name = "calculator",
  version = "1.0.0",
  description = "Evaluate an arithmetic expression exactly, for example (17.5 * 3 - 2) / 4 or sqrt(2) ^ 2.",
  input = {
    type = "object",
    required = { "expression" },
    properties = { expression = { type = "string", maxLength = 1000 } },
    additionalProperties = false,
  },
  output = { type = "object", required = { "result" }, properties = { result = { type = "number" } } },
  run = run,
  examples = {
    { name = "precedence", input = { expression = "2 + 3 * -4 ^ 2 / 8" }, output = { result = -4 } },
    { name = "powers bind to the right", input = { expression = "2^3^2" }, output = { result = 512 } },
    { name = "functions", input = { expression = "max(1, sqrt(16), 3) % 3" }, output = { result = 1 } },
    { name = "a mistake is named", input = { expression = "2 + * 3" }, error = "InvalidInput" },
    { name = "no division by zero", input = { expression = "1/(2-2)" }, error = "InvalidInput" },
  },
}
