-- Looks a subject up in Wikipedia, by its REST interface: a tool for the agent loop, and an example of what a skill
-- that goes out must name in its needs.

local function escape(title)
  return (title:gsub(" ", "_"):gsub("[^%w_.~-]", function(c)
    return string.format("%%%02X", c:byte())
  end))
end

local function run(input)
  local language = input.language or "en"
  local answer = c9.http.request({
    url = "https://" .. language .. ".wikipedia.org/api/rest_v1/page/summary/" .. escape(input.subject),
    headers = { accept = "application/json" },
    timeout = "10s",
    max_bytes = 262144,
  })
  if answer.status == 404 then
    return { found = false }
  end
  if answer.status ~= 200 then
    error({
      code = "HttpFailed",
      message = "Wikipedia answered with status " .. answer.status,
      details = { status = answer.status },
      retryable = answer.status >= 500 or answer.status == 429,
    })
  end
  local page = answer:json()
  return { found = true, title = page.title, summary = page.extract }
end

return {
  name = "web_lookup",
  version = "1.0.0",
  description = "Look up a subject in Wikipedia; gives the title and a summary of the page.",
  input = {
    type = "object",
    required = { "subject" },
    properties = {
      subject = { type = "string", minLength = 1, maxLength = 200 },
      language = { type = "string", enum = { "en", "de", "fr" } },
    },
    additionalProperties = false,
  },
  output = {
    type = "object",
    required = { "found" },
    properties = { found = { type = "boolean" }, title = { type = "string" }, summary = { type = "string" } },
  },
  needs = { http = { "en.wikipedia.org", "de.wikipedia.org", "fr.wikipedia.org" } },
  run = run,
  examples = {
    {
      name = "a page that is there",
      input = { subject = "Lua (programming language)" },
      http = {
        { status = 200, headers = { ["content-type"] = "application/json" },
          body = '{"title":"Lua","extract":"Lua is a lightweight programming language."}' },
      },
      output = { found = true, title = "Lua", summary = "Lua is a lightweight programming language." },
    },
    { name = "a page that is not", input = { subject = "Xyzzyx" }, http = { { status = 404, body = "{}" } },
      output = { found = false } },
    { name = "a server in trouble", input = { subject = "Lua" }, http = { { status = 503, body = "" } },
      error = "HttpFailed" },
  },
}
