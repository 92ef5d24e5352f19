-- Opens an issue in a repository at GitHub: an example of a call that changes something, with one of the operator's
-- secrets.
-- The operator writes   [secret github]   value_file = /etc/c9d/github.token   hosts = api.github.com
-- and the skill gets a reference to it, never the token.

local function run(input)
  local answer = c9.http.request({
    method = "POST",
    url = "https://api.github.com/repos/" .. input.repository .. "/issues",
    headers = {
      accept = "application/vnd.github+json",
      authorization = "Bearer " .. c9.secret("github"),
      ["content-type"] = "application/json",
    },
    body = c9.json.encode({ title = input.title, body = input.text or "" }),
    timeout = "15s",
  })
  if answer.status ~= 201 then
    error({
      code = "HttpFailed",
      message = "GitHub answered with status " .. answer.status,
      details = { status = answer.status },
      retryable = answer.status >= 500 or answer.status == 429,
    })
  end
  local issue = answer:json()
  return { number = issue.number, url = issue.html_url }
end

return {
  name = "open_issue",
  version = "1.0.0",
  description = "Open an issue in a GitHub repository; gives its number and address.",
  input = {
    type = "object",
    required = { "repository", "title" },
    properties = {
      repository = { type = "string", pattern = "^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$" },
      title = { type = "string", minLength = 1, maxLength = 256 },
      text = { type = "string", maxLength = 65536 },
    },
    additionalProperties = false,
  },
  output = {
    type = "object",
    required = { "number", "url" },
    properties = { number = { type = "integer" }, url = { type = "string" } },
  },
  needs = { http = { "api.github.com" }, secrets = { "github" } },
  run = run,
  examples = {
    {
      name = "an issue is opened",
      input = { repository = "acme/shop", title = "The basket forgets its last item" },
      http = {
        { status = 201, headers = { ["content-type"] = "application/json" },
          body = '{"number":7,"html_url":"https://github.com/acme/shop/issues/7"}' },
      },
      output = { number = 7, url = "https://github.com/acme/shop/issues/7" },
    },
    { name = "the token is no longer valid", input = { repository = "acme/shop", title = "Hello" },
      http = { { status = 401, headers = {}, body = "{}" } }, error = "HttpFailed" },
  },
}
