-- What a web server's access log says: requests by status, path and hour, bytes sent, errors worth a look.
-- Reads the Common and the Combined Log Format; lines of another shape are counted, not guessed at.

local LINE = '^(%S+) %S+ %S+ %[(%d+/%a+/%d+:%d+):[^%]]*%] "(%u+) (%S+)[^"]*" (%d%d%d) (%S+)'

local function count(counts, key, amount)
  counts[key] = (counts[key] or 0) + (amount or 1)
end

-- The largest first; equal ones by name.
local function ranking(counts, n, label)
  local list = c9.json.array({})
  for key, value in pairs(counts) do
    list[#list + 1] = { [label] = key, requests = value }
  end
  table.sort(list, function(a, b)
    if a.requests ~= b.requests then
      return a.requests > b.requests
    end
    return a[label] < b[label]
  end)
  while #list > n do
    list[#list] = nil
  end
  return list
end

local function run(input)
  local statuses, paths, clients, hours, failing = {}, {}, {}, {}, {}
  local requests, unreadable, bytes = 0, 0, 0
  for line in input.log:gmatch("[^\r\n]+") do
    local client, hour, _, target, status, size = line:match(LINE)
    if client then
      local path = target:match("^[^?]*")
      requests = requests + 1
      bytes = bytes + (math.tointeger(size) or 0)
      count(statuses, status)
      count(paths, path)
      count(clients, client)
      count(hours, hour)
      if status:sub(1, 1) == "5" then
        count(failing, path)
      end
    else
      unreadable = unreadable + 1
    end
  end
  local n = input.top or 5
  if unreadable > 0 then
    c9.log.warn("lines that are no access log", { lines = unreadable })
  end
  return {
    requests = requests,
    unreadable_lines = unreadable,
    bytes = bytes,
    statuses = statuses,
    top_paths = ranking(paths, n, "path"),
    top_clients = ranking(clients, n, "client"),
    busiest_hours = ranking(hours, n, "hour"),
    failing_paths = ranking(failing, n, "path"),
  }
end

return {
  name = "log_summary",
  version = "1.0.0",
  description = "Summarise a web server's access log: statuses, busiest paths, clients and hours, failing paths.",
  input = {
    type = "object",
    required = { "log" },
    properties = {
      log = { type = "string", description = "access log in Common or Combined Log Format" },
      top = { type = "integer", minimum = 1, maximum = 100, description = "length of the rankings; 5 if absent" },
    },
    additionalProperties = false,
  },
  output = { type = "object", required = { "requests", "statuses", "top_paths" } },
  run = run,
  examples = {
    {
      name = "two requests and a line of another shape",
      input = {
        top = 1,
        log = '192.0.2.1 - - [10/Oct/2025:13:55:36 +0000] "GET /a?x=1 HTTP/1.1" 200 2326\n'
          .. '192.0.2.2 - - [10/Oct/2025:13:56:01 +0000] "POST /b HTTP/1.1" 502 - "-" "curl/8"\n'
          .. "server restarted\n",
      },
      output = {
        requests = 2, unreadable_lines = 1, bytes = 2326,
        statuses = { ["200"] = 1, ["502"] = 1 },
        top_paths = { { path = "/a", requests = 1 } },
        top_clients = { { client = "192.0.2.1", requests = 1 } },
        busiest_hours = { { hour = "10/Oct/2025:13", requests = 2 } },
        failing_paths = { { path = "/b", requests = 1 } },
      },
    },
  },
}
