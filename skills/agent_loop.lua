-- The built-in agent loop: what runs when an agent names no entry point. The persona is the system prompt, the
-- agent's skills are the tools; the model decides, results go back to it, until it answers or a limit is met.

local DEFAULT_STEPS = 16
local REPAIRS = 1 -- turns that the model gets to correct an answer that does not fit the output schema

local function fail(code, message, details)
  error({ code = code, message = message, details = details, retryable = false })
end

-- The agent's settings are snake_case here and camelCase in the API; both are understood.
local function setting(settings, name)
  local value = settings[name]
  if value == nil then
    value = settings[(name:gsub("_(%l)", string.upper))]
  end
  return value
end

-- A text is the message itself; an object may carry it; anything else is shown as JSON.
local function user_message(input)
  if type(input) == "string" then
    return input
  end
  if type(input) == "table" then
    for _, field in ipairs({ "message", "prompt" }) do
      if type(input[field]) == "string" and next(input, next(input)) == nil then
        return input[field]
      end
    end
  end
  return c9.json.encode(input)
end

local function tools_of(skills)
  local tools, by_name = {}, {}
  for _, skill in ipairs(skills) do
    if skill.name ~= "agent_loop" then
      tools[#tools + 1] = {
        name = skill.name,
        description = skill.description or "",
        parameters = skill.input or { type = "object", properties = {} },
      }
      by_name[skill.name] = skill
    end
  end
  return tools, by_name
end

local function tool_error(code, message, details)
  return { error = { code = code, message = message, details = details } }
end

local function tool_arguments(call)
  local arguments = call.arguments
  if arguments == nil or arguments == c9.null or arguments == "" then
    return {}
  end
  if type(arguments) == "string" then
    local ok, value = pcall(c9.json.decode, arguments)
    if not ok then
      return nil, tool_error("InvalidInput", "the arguments are not JSON: " .. tostring(value))
    end
    return value
  end
  return arguments
end

-- Whatever goes wrong in a tool is told to the model, which may do better.
local function tool_run(call, skills)
  local skill = skills[call.name]
  if not skill then
    return tool_error("SkillNotFound", "there is no tool '" .. tostring(call.name) .. "'")
  end
  local arguments, problem = tool_arguments(call)
  if problem then
    return problem
  end
  if skill.input then
    local valid, errors = c9.skills.validate(call.name, arguments)
    if not valid then
      return tool_error("InvalidInput", "the arguments do not match the tool's parameters",
        { validationErrors = errors })
    end
  end
  local ok, result = pcall(c9.skills.call, call.name, arguments)
  if ok then
    return result
  end
  if type(result) == "table" then
    return tool_error(result.code or "ExecutionFailed", result.message or tostring(result), result.details)
  end
  return tool_error("ExecutionFailed", tostring(result))
end

local function tool_message(call, skills)
  local result = tool_run(call, skills)
  if result == nil then
    result = c9.null
  end
  local ok, text = pcall(c9.json.encode, result)
  if not ok then
    text = c9.json.encode(tool_error("ExecutionFailed", "the tool's result is not JSON: " .. tostring(text)))
  end
  return { role = "tool", tool_call_id = call.id, content = text }
end

-- All calls of one turn at once; results stay in the order of the calls.
local function tools_run(calls, skills)
  local work = {}
  for i, call in ipairs(calls) do
    work[i] = function()
      return tool_message(call, skills)
    end
  end
  return c9.all(work)
end

-- The text of a fenced block when the whole answer is one, else the answer.
local function unfenced(text)
  return text:match("^%s*```%w*%s*\n(.-)\n?%s*```%s*$") or text
end

-- The output, or nil and what is wrong with the answer.
local function output_of(text)
  local decoded, value = pcall(c9.json.decode, unfenced(text))
  if decoded then
    local valid, errors = c9.validate_output(value)
    if valid then
      return value
    end
    -- A schema may want a text that happens to read as JSON.
    if type(value) ~= "table" and c9.validate_output(text) then
      return text
    end
    return nil, errors
  end
  if c9.validate_output(text) then
    return text
  end
  return nil, { { path = "", message = "the answer is not JSON: " .. tostring(value) } }
end

local function repair_message(errors)
  local lines = {}
  for i, problem in ipairs(errors) do
    lines[i] = "- " .. (problem.path ~= "" and problem.path .. ": " or "") .. problem.message
  end
  return "Your answer does not fit the required JSON Schema:\n" .. table.concat(lines, "\n")
    .. "\nAnswer again, with the corrected JSON and nothing else."
end

local function step(state)
  local request = state.request
  state.steps = state.steps + 1
  if state.steps > state.max_steps then
    fail("ResourceExhausted", "no answer within max_steps = " .. state.max_steps .. " turns of the model",
      { limit = "max_steps", max = state.max_steps })
  end
  local answer = c9.model.chat(request)
  local usage = answer.usage or {}
  state.tokens = state.tokens + (usage.input_tokens or 0) + (usage.output_tokens or 0)
  c9.log.debug("step", state.steps, {
    finish_reason = answer.finish_reason,
    tool_calls = answer.tool_calls and #answer.tool_calls or 0,
    tokens = state.tokens,
  })
  if state.max_tokens and state.tokens > state.max_tokens then
    fail("ResourceExhausted", "the agent used more than max_total_tokens = " .. state.max_tokens .. " tokens",
      { limit = "max_total_tokens", max = state.max_tokens, used = state.tokens })
  end
  if answer.finish_reason == "content_filter" then
    fail("ModelFailed", "the provider's content filter withheld the answer", { finishReason = "content_filter" })
  end
  return answer
end

-- Runs turns until the model answers without calling tools.
local function answer_get(state, skills)
  local messages = state.request.messages
  while true do
    local answer = step(state)
    local calls = answer.tool_calls
    local text = answer.content or ""
    if not calls or #calls == 0 then
      if answer.finish_reason == "length" then
        c9.log.warn("the model's answer was cut off at its length limit")
      end
      messages[#messages + 1] = { role = "assistant", content = text }
      return text
    end
    messages[#messages + 1] = { role = "assistant", content = text, tool_calls = calls }
    for _, message in ipairs(tools_run(calls, skills)) do
      messages[#messages + 1] = message
    end
  end
end

local function run(input, ctx)
  local agent = ctx.agent or {}
  local settings = agent.settings or {}
  local schema = agent.output_schema
  local tools, skills = tools_of(c9.skills.list())
  local messages = {}
  if agent.persona and agent.persona ~= "" then
    messages[1] = { role = "system", content = agent.persona }
  end
  messages[#messages + 1] = { role = "user", content = user_message(input) }
  local state = {
    steps = 0,
    tokens = 0,
    max_steps = setting(settings, "max_steps") or DEFAULT_STEPS,
    max_tokens = setting(settings, "max_total_tokens"),
    request = {
      provider = setting(settings, "provider"),
      model = setting(settings, "model"),
      temperature = setting(settings, "temperature"),
      max_tokens = setting(settings, "max_tokens"),
      messages = messages,
      tools = tools,
      response_schema = schema and schema.type == "object" and schema or nil,
      emit = true,
    },
  }
  local text = answer_get(state, skills)
  if not (schema or agent.has_output_schema) then
    return text
  end
  for repair = 0, REPAIRS do
    local output, errors = output_of(text)
    if errors == nil then
      return output
    end
    if repair == REPAIRS then
      fail("ExecutionFailed", "the model's answer does not fit the agent's output schema",
        { reason = "InvalidOutput", validationErrors = errors, answer = text })
    end
    c9.log.info("the answer does not fit the output schema; asking once more", { errors = errors })
    messages[#messages + 1] = { role = "user", content = repair_message(errors) }
    text = answer_get(state, skills)
  end
end

return {
  name = "agent_loop",
  version = "1.0.0",
  description = "Lets a model use the agent's skills as tools until it has an answer.",
  needs = { model = { "*" } },
  run = run,
}
