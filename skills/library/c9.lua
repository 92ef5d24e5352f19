---@meta c9
-- Types of the c9 module, for the Lua language server (LuaCATS annotations). Nothing here is run:
-- the module is built into c9d. Point "workspace.library" at this folder.
-- Every function that talks to the outside raises a c9.Error when it fails; pcall catches it.

---The module of everything that a skill can do beyond computing.
c9 = {}

---JSON's null. Absent members are nil; a member that is there and null is this. It is truthy.
---@type lightuserdata
c9.null = nil

---What a failed call raises, and what a skill may raise: `error({ code = "InvalidInput", message = "…" })`.
---@class c9.Error
---@field code string a code of the API, e.g. "ModelFailed", "HttpFailed", "CapabilityDenied", "ResourceExhausted"
---@field message string
---@field details table
---@field retryable boolean whether the same call may succeed later

---The second argument of run; read-only.
---@class c9.Context
---@field execution { id: string, attempt: integer }
---@field agent c9.Agent
---@field skills c9.SkillInfo[] the agent's skills

---@class c9.Agent
---@field id string
---@field name string
---@field version string
---@field persona? string
---@field settings table<string, any>
---@field has_output_schema boolean
---@field output_schema? table

---@class c9.SkillInfo
---@field name string
---@field version string
---@field description string
---@field input? table JSON Schema

---One recorded case of a skill, run by `c9ctl skill test`.
---@class c9.Example
---@field name string
---@field input any
---@field output? any what must come out
---@field error? string or the code it must end with
---@field model? c9.ChatAnswer[] replies of the model, in order
---@field http? c9.Response[] answers to HTTP requests, in order
---@field agents? any[] outputs of executed agents, in order
---@field signals? { name: string, payload: any }[] what c9.wait_for gets: the next of its name; none is a timeout

---@class c9.Needs
---@field model? string[] providers
---@field http? string[] hosts
---@field agents? string[] names or ids
---@field documents? string[]
---@field secrets? string[] names of the operator's secrets

---What a skill's file returns.
---@class c9.Skill
---@field name string a-z, then at most 63 of a-z 0-9 _ -
---@field version string semantic version
---@field description? string what it does, for people and for models that use it as a tool
---@field input? table JSON Schema
---@field output? table JSON Schema
---@field needs? c9.Needs what is not named is refused
---@field examples? c9.Example[]
---@field run fun(input: any, ctx: c9.Context): any

c9.model = {}

---@class c9.ToolCall
---@field id string
---@field name string
---@field arguments table|string

---@class c9.Message
---@field role "system"|"user"|"assistant"|"tool"
---@field content? string
---@field tool_calls? c9.ToolCall[]
---@field tool_call_id? string

---@class c9.Tool
---@field name string
---@field description string
---@field parameters table JSON Schema

---@class c9.ChatRequest
---@field messages c9.Message[]
---@field provider? string a provider of the configuration; "default" if absent
---@field model? string
---@field tools? c9.Tool[]
---@field tool_choice? "auto"|"none"|"required"|{ name: string }
---@field response_schema? table JSON Schema that the answer must match
---@field temperature? number
---@field top_p? number
---@field max_tokens? integer
---@field stop? string|string[]
---@field seed? integer
---@field stream? fun(delta: string) called with each piece of text; may log and emit, nothing else
---@field emit? boolean send the pieces to whoever follows the execution

---@class c9.ChatAnswer
---@field content? string
---@field tool_calls? c9.ToolCall[]
---@field finish_reason "stop"|"length"|"tool_calls"|"content_filter"
---@field usage { input_tokens: integer, output_tokens: integer }
---@field model? string

---Asks a model. Needs `needs.model`.
---@param request c9.ChatRequest
---@return c9.ChatAnswer
function c9.model.chat(request) end

c9.http = {}

---@class c9.Request
---@field url string
---@field method? string "GET" if absent
---@field headers? table<string, string|number>
---@field body? string
---@field json? any sent as the body, with its content type
---@field timeout? number|string seconds, or "250ms", "10s"
---@field max_bytes? integer of the answer's body

---@class c9.Response
---@field status integer
---@field headers table<string, string> names in lower case
---@field body string
local Response = {}

---The body decoded as JSON.
---@return any
function Response:json() end

---A POST, PUT or PATCH carries an Idempotency-Key of the call, unless the request has one: a call that is asked again
---after a crash has the same.
---Makes an HTTP request. Needs its host in `needs.http`. Any status is an answer, not an error.
---@param request c9.Request a reference of c9.secret stands for the secret in a header, the url's query or the body
---@return c9.Response
function c9.http.request(request) end

c9.agents = {}

---Executes another agent, or a chain, and waits for its output. Needs it in `needs.agents`. After `timeout` (seconds,
---or "10s") it is cancelled, and the error is ExecutionTimeout. `label` is kept in the other's executionContext.
---@param agent string name or id
---@param input any
---@param options? { version?: string, timeout?: number|string, label?: string }
---@return any output
---@return { execution_id: string, usage: { tokens: integer, cost_microcents: integer } } info
function c9.agents.execute(agent, input, options) end

c9.skills = {}

---The agent's skills.
---@return c9.SkillInfo[]
function c9.skills.list() end

---Calls another skill of the agent, here and now, under the same limits. Its input is not validated.
---@param name string
---@param input any
---@return any
function c9.skills.call(name, input) end

---Checks a value against a skill's input schema.
---@param name string
---@param value any
---@return boolean valid
---@return { path: string, message: string }[]? errors
function c9.skills.validate(name, value) end

---Checks a value against the agent's output schema.
---@param value any
---@return boolean valid
---@return { path: string, message: string }[]? errors
function c9.validate_output(value) end

c9.log = {}

---Tables with names as keys become the entry's metadata, everything else its message.
---@param message any
---@param ... any
function c9.log.debug(message, ...) end

---@param message any
---@param ... any
function c9.log.info(message, ...) end

---@param message any
---@param ... any
function c9.log.warn(message, ...) end

---@param message any
---@param ... any
function c9.log.error(message, ...) end

---Sends a value to whoever follows the execution.
---@param value any
function c9.emit(value) end

---Waits. Takes seconds, or "250ms", "10s", "5m", "2h", "3d".
---@param duration number|string
function c9.sleep(duration) end

---What came with a signal.
---@class c9.Signal
---@field signal_id string
---@field sent_by string the user who sent it
---@field sent_at number seconds since 1970

---Waits for a signal: POST /v1/executions/{id}/signals/{name}. One that came before is kept and taken at once.
---While it waits, however long, the execution holds no process. Raises "WaitTimeout" when `timeout` is over.
---@param name string a-z A-Z 0-9 . _ -, at most 128
---@param options? { schema?: table, timeout?: number|string } a JSON Schema for the payload; "30m", "3d" or seconds
---@return any payload
---@return c9.Signal signal
function c9.wait_for(name, options) end

---A reference to one of the operator's secrets, to be put into a header, the query of the url or the body of
---c9.http.request: the secret takes its place when the request leaves, if it goes to one of the secret's hosts by
---https. Anywhere else the reference is just a text; in what comes back it takes the secret's place again. Needs the
---name in `needs.secrets`.
---@param name string
---@return string reference
function c9.secret(name) end

---Seconds since 1970, exact to the microsecond.
---@return number
function c9.now() end

---A random UUID (version 4); the same when the execution is replayed.
---@return string
function c9.uuid() end

---As math.random; the same numbers when the execution is replayed.
---@param m? integer
---@param n? integer
---@return number
function c9.random(m, n) end

---Runs functions at once. `all(f, g)` gives their results, `all{f, g}` a list of them (c9.null for nothing), in order.
---All run to their end; then the error of the first one that failed is raised.
---@param ... function|function[]
---@return any ...
function c9.all(...) end

c9.json = {}

---Keys in byte order. An empty table is {}, unless it was decoded from [] or marked by c9.json.array.
---@param value any
---@return string
function c9.json.encode(value) end

---@param text string
---@return any
function c9.json.decode(text) end

---Marks a table as an array, so that it is [] when empty.
---@generic T
---@param list? T[]
---@return T[]
function c9.json.array(list) end
