-- The built-in chain loop: runs the steps of an agent chain. The chain's configuration comes as a plan in ctx: its
-- mappings and conditions are trees already, read when the chain was saved. A step is an execution of its agent.

local HOPELESS = { -- these end the same way the next time
  InvalidInput = true, InvalidRequest = true, ResourceExhausted = true, CapabilityDenied = true, AddressDenied = true,
  InsufficientPermissions = true, ReplayDiverged = true, AgentNotFound = true, VersionNotFound = true,
  ProtocolViolation = true, Cancelled = true,
}

-- ---- values ----

local function is_nothing(value)
  return value == nil or value == c9.null
end

-- The value at a path; nil when there is none.
local function path_get(scope, tree)
  local value = scope
  for i = 2, #tree do
    if type(value) ~= "table" then
      return nil
    end
    local key = tree[i]
    value = value[type(key) == "number" and key + 1 or key]
  end
  return value
end

local function same(a, b)
  if is_nothing(a) or is_nothing(b) then
    return is_nothing(a) and is_nothing(b)
  end
  if type(a) == "table" and type(b) == "table" then
    return c9.json.encode(a) == c9.json.encode(b)
  end
  return a == b
end

-- Numbers with numbers and texts with texts; nothing else is less or more.
local function ordered(a, b, holds)
  local kind = type(a)
  return kind == type(b) and (kind == "number" or kind == "string") and holds(a, b)
end

local function is_true(value)
  return not is_nothing(value) and value ~= false
end

local function as_text(value)
  if is_nothing(value) then
    return ""
  end
  return type(value) == "string" and value or c9.json.encode(value)
end

local evaluate

local operators = {
  ["$"] = path_get,
  ["="] = function(_, tree) return tree[2] end,
  ["json"] = function(_, tree) return c9.json.decode(tree[2]) end,
  ["text"] = function(scope, tree)
    local parts = {}
    for i = 2, #tree do
      parts[i - 1] = as_text(evaluate(scope, tree[i]))
    end
    return table.concat(parts)
  end,
  ["exists"] = function(scope, tree) return not is_nothing(evaluate(scope, tree[2])) end,
  ["not"] = function(scope, tree) return not is_true(evaluate(scope, tree[2])) end,
  ["and"] = function(scope, tree)
    for i = 2, #tree do
      if not is_true(evaluate(scope, tree[i])) then
        return false
      end
    end
    return true
  end,
  ["or"] = function(scope, tree)
    for i = 2, #tree do
      if is_true(evaluate(scope, tree[i])) then
        return true
      end
    end
    return false
  end,
  ["=="] = function(scope, tree) return same(evaluate(scope, tree[2]), evaluate(scope, tree[3])) end,
  ["!="] = function(scope, tree) return not same(evaluate(scope, tree[2]), evaluate(scope, tree[3])) end,
  ["<"] = function(scope, tree)
    return ordered(evaluate(scope, tree[2]), evaluate(scope, tree[3]), function(a, b) return a < b end)
  end,
  ["<="] = function(scope, tree)
    return ordered(evaluate(scope, tree[2]), evaluate(scope, tree[3]), function(a, b) return a <= b end)
  end,
  [">"] = function(scope, tree)
    return ordered(evaluate(scope, tree[2]), evaluate(scope, tree[3]), function(a, b) return a > b end)
  end,
  [">="] = function(scope, tree)
    return ordered(evaluate(scope, tree[2]), evaluate(scope, tree[3]), function(a, b) return a >= b end)
  end,
}

function evaluate(scope, tree)
  return operators[tree[1]](scope, tree)
end

-- Sets a member below target, which it changes; what lies on the way is copied, since others may hold it too.
local function member_set(target, names, value)
  for i = 1, #names - 1 do
    local copy = {}
    if type(target[names[i]]) == "table" then
      for key, member in pairs(target[names[i]]) do
        copy[key] = member
      end
    end
    target[names[i]] = copy
    target = copy
  end
  target[names[#names]] = value
end

-- What a mapping makes of the scope. A target without names is the whole value; what is not there is left out.
local function mapped(scope, mapping)
  local whole = {}
  for _, row in ipairs(mapping) do
    local value = evaluate(scope, row.value)
    if #row.target == 0 then
      if value == nil then
        value = c9.null
      end
      whole = value
    elseif value ~= nil then
      member_set(whole, row.target, value)
    end
  end
  return whole
end

-- ---- steps ----

local function tell(step, what)
  what.id = step.id
  c9.emit({ chainStep = what })
end

local function error_of(raised)
  if type(raised) ~= "table" then
    return { code = "ExecutionFailed", message = tostring(raised) }
  end
  return { code = raised.code or "ExecutionFailed", message = raised.message or tostring(raised),
    details = raised.details }
end

local function late(plan, step)
  error({ code = "ExecutionTimeout", retryable = false, details = { limit = "timeout", limitMs = plan.timeout_ms,
    stepId = step.id }, message = "the chain took longer than its timeout of " .. plan.timeout_ms .. " ms" })
end

-- Seconds until the chain's end, or nil.
local function left(plan, step)
  if not plan.deadline then
    return nil
  end
  local seconds = plan.deadline - c9.now()
  if seconds <= 0 then
    late(plan, step)
  end
  return seconds
end

local function is_tried_again(policy, attempt, failure)
  if attempt >= policy.attempts then
    return false
  end
  if policy.on then
    for _, code in ipairs(policy.on) do
      if code == failure.code then
        return true
      end
    end
    return false
  end
  return not HOPELESS[failure.code]
end

local function pause(plan, step, attempt)
  local policy = step.retry
  local seconds = math.min(policy.backoff_ms * policy.factor ^ (attempt - 1), policy.backoff_max_ms) / 1000
  local rest = left(plan, step)
  if rest and seconds >= rest then
    c9.sleep(rest)
    late(plan, step)
  end
  if seconds > 0 then
    c9.sleep(seconds)
  end
end

-- Executes the step's agent, again as its policy says. { output } or { failure }, and { execution_id }.
local function called(plan, step, input)
  local attempt = 1
  while true do
    local rest = left(plan, step)
    local timeout = step.timeout_ms and step.timeout_ms / 1000
    local bounded = rest and (not timeout or rest < timeout)
    tell(step, { status = "running", attempt = attempt })
    local ok, output, info = pcall(c9.agents.execute, step.agent, input,
      { version = step.version, label = step.id, timeout = bounded and rest or timeout })
    if ok then
      return { status = "completed", output = output, execution_id = info.execution_id, attempt = attempt }
    end
    local failure = error_of(output)
    local details = type(failure.details) == "table" and failure.details or {}
    if bounded and details.limit == "timeout" then
      late(plan, step)
    end
    local id = details.executionId
    if not is_tried_again(step.retry, attempt, failure) then
      return { status = "failed", failure = failure, execution_id = id, attempt = attempt }
    end
    tell(step, { status = "failed", attempt = attempt, executionId = id, willRetry = true,
      error = { code = failure.code, message = failure.message } })
    pause(plan, step, attempt)
    attempt = attempt + 1
  end
end

-- Runs one step in a scope: what became of it, and of the step that took its place.
local function performed(plan, step, scope)
  if step.condition and not is_true(evaluate(scope, step.condition)) then
    tell(step, { status = "skipped", reason = "condition" })
    return { step = step, status = "skipped" }
  end
  local input = scope.previous
  if step.input then
    input = mapped(scope, step.input)
  end
  local done = called(plan, step, input)
  done.step = step
  tell(step, { status = done.status, attempt = done.attempt, executionId = done.execution_id,
    error = done.failure and { code = done.failure.code, message = done.failure.message } or nil })
  if done.status == "failed" and step.on_error == "fallback" then
    local failure = done.failure
    done.instead = performed(plan, plan.by_id[step.fallback], {
      input = scope.input, steps = scope.steps, vars = scope.vars, previous = input,
      error = { code = failure.code, message = failure.message, details = failure.details, stepId = step.id },
    })
  end
  return done
end

local function failed(done)
  local step, failure = done.step, done.failure
  error({ code = "ChainExecutionFailed", retryable = false,
    message = "step '" .. step.id .. "' failed: " .. failure.message,
    details = { stepId = step.id, agentId = step.agent, executionId = done.execution_id, error = failure } })
end

local function output_apply(state, step, output)
  for _, row in ipairs(step.output or {}) do
    local value = evaluate({ input = state.input, steps = state.steps, vars = state.vars, previous = state.previous,
      output = output }, row.value)
    if value == nil then
      value = c9.null
    end
    member_set(state.vars, row.target, value)
  end
  state.previous = output
end

-- What became of a step, for the steps behind it. Raises when the chain ends with it.
local function applied(state, done)
  local step, failure = done.step, done.failure
  state.steps[step.id] = { status = done.status, output = done.output,
    error = failure and { code = failure.code, message = failure.message, details = failure.details } or nil }
  if done.status == "completed" then
    output_apply(state, step, done.output)
  elseif done.status == "failed" and done.instead and done.instead.status ~= "skipped" then
    local instead = done.instead
    applied(state, instead)
    if instead.status == "completed" then
      state.steps[step.id].output = instead.output
      if not instead.step.output then
        output_apply(state, step, instead.output)
      end
    end
  elseif done.status == "failed" and step.on_error ~= "continue" then
    failed(done)
  end
end

-- Steps side by side see what was there before the first of them.
local function group_run(plan, state, group)
  local scope = { input = state.input, steps = state.steps, vars = state.vars, previous = state.previous }
  if #group == 1 then
    applied(state, performed(plan, group[1], scope))
    return
  end
  local work = {}
  for i, step in ipairs(group) do
    work[i] = function()
      return performed(plan, step, scope)
    end
  end
  for _, done in ipairs(c9.all(work)) do
    applied(state, done)
  end
end

local function run(input, ctx)
  local given = ctx.agent.chain
  local plan = { timeout_ms = given.timeout_ms, by_id = {} }
  if input == nil then
    input = c9.null
  end
  if plan.timeout_ms then
    plan.deadline = c9.now() + plan.timeout_ms / 1000
  end
  for _, step in ipairs(given.steps) do
    plan.by_id[step.id] = step
  end
  local state = { input = input, steps = {}, vars = {}, previous = input }
  for _, ids in ipairs(given.groups) do
    local group = {}
    for i, id in ipairs(ids) do
      group[i] = plan.by_id[id]
    end
    group_run(plan, state, group)
  end
  if given.output then
    return mapped({ input = input, steps = state.steps, vars = state.vars, previous = state.previous }, given.output)
  end
  return state.previous
end

return {
  name = "chain_loop",
  version = "1.0.0",
  description = "Runs the steps of an agent chain.",
  needs = { agents = { "*" } },
  run = run,
}
