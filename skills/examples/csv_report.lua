-- A report from CSV text: rows grouped by a column, other columns summed up. Asks for nothing from outside,
-- so the same input always gives the same output.

-- Records of RFC 4180: quotes, doubled quotes, line breaks in quotes, CRLF. One list of fields a record.
local function csv_parse(text)
  local records, record, at, line = {}, {}, 1, 1
  while at <= #text do
    local field, stop
    if text:sub(at, at) == '"' then
      local parts, from = {}, at + 1
      while true do
        local quote = text:find('"', from, true)
        if not quote then
          error("csv: a quoted field that begins on line " .. line .. " does not end")
        end
        parts[#parts + 1] = text:sub(from, quote - 1)
        from = quote + 1
        if text:sub(from, from) ~= '"' then
          break
        end
        parts[#parts + 1] = '"'
        from = from + 1
      end
      field, stop = table.concat(parts), from
      line = line + select(2, field:gsub("\n", ""))
    else
      stop = text:find("[,\r\n]", at) or #text + 1
      field = text:sub(at, stop - 1)
    end
    record[#record + 1] = field
    local mark = text:match("^\r?\n", stop) or text:sub(stop, stop)
    if mark == "," then
      at = stop + 1
      if at > #text then
        record[#record + 1] = ""
      end
    elseif mark == "" or mark == "\n" or mark == "\r\n" then
      if #record > 1 or record[1] ~= "" then
        records[#records + 1] = record
      end
      record, at, line = {}, stop + #mark, line + 1
    else
      error("csv: line " .. line .. " has text behind a quoted field")
    end
  end
  if #record > 0 then
    records[#records + 1] = record
  end
  return records
end

local function columns_of(header)
  local columns = {}
  for i, name in ipairs(header) do
    columns[name] = i
  end
  return columns
end

local function column_find(columns, name, header)
  if not columns[name] then
    error({
      code = "InvalidInput",
      message = "there is no column '" .. name .. "'; there are: " .. table.concat(header, ", "),
    })
  end
  return columns[name]
end

local function group_add(group, record, sums, columns, row)
  group.rows = group.rows + 1
  for _, name in ipairs(sums) do
    local text = record[columns[name]] or ""
    local number = text ~= "" and tonumber(text)
    if text ~= "" and not number then
      error({
        code = "InvalidInput",
        message = "row " .. row .. ": column '" .. name .. "' has '" .. text .. "', which is no number",
      })
    end
    local total = group.totals[name]
    if number then
      total.sum = total.sum + number
      total.count = total.count + 1
      total.min = total.min and math.min(total.min, number) or number
      total.max = total.max and math.max(total.max, number) or number
    end
  end
end

local function group_new(key, sums)
  local group = { key = key, rows = 0, totals = {} }
  for _, name in ipairs(sums) do
    group.totals[name] = { sum = 0, count = 0 }
  end
  return group
end

local function group_finish(group)
  for _, total in pairs(group.totals) do
    if total.count > 0 then
      total.mean = total.sum / total.count
    end
  end
  return group
end

local function run(input)
  local records = csv_parse(input.csv)
  if #records == 0 then
    error({ code = "InvalidInput", message = "the CSV text has no header line" })
  end
  local header = table.remove(records, 1)
  local columns, sums = columns_of(header), input.sum or {}
  local by = column_find(columns, input.group_by, header)
  for _, name in ipairs(sums) do
    column_find(columns, name, header)
  end
  local groups, list, all = {}, {}, group_new("total", sums)
  for row, record in ipairs(records) do
    local key = record[by] or ""
    if not groups[key] then
      groups[key] = group_new(key, sums)
      list[#list + 1] = groups[key]
    end
    group_add(groups[key], record, sums, columns, row)
    group_add(all, record, sums, columns, row)
  end
  local sort = sums[1]
  table.sort(list, function(a, b)
    local x, y = sort and a.totals[sort].sum or a.rows, sort and b.totals[sort].sum or b.rows
    if x ~= y then
      return x > y
    end
    return a.key < b.key
  end)
  local top = c9.json.array({})
  for i = 1, math.min(input.top or #list, #list) do
    top[i] = group_finish(list[i])
  end
  c9.log.info("read", #records, "rows in", #list, "groups", { columns = header })
  return { rows = #records, groups = #list, group_by = input.group_by, total = group_finish(all), top = top }
end

return {
  name = "csv_report",
  version = "1.0.0",
  description = "Group the rows of a CSV text by a column; sum, count, minimum, maximum and mean of others.",
  input = {
    type = "object",
    required = { "csv", "group_by" },
    properties = {
      csv = { type = "string", description = "CSV text (RFC 4180) whose first line names the columns" },
      group_by = { type = "string", description = "column whose values make the groups" },
      sum = { type = "array", items = { type = "string" }, description = "columns of numbers; the first one sorts" },
      top = { type = "integer", minimum = 1, description = "how many groups to give, the largest first" },
    },
    additionalProperties = false,
  },
  output = {
    type = "object",
    required = { "rows", "groups", "group_by", "total", "top" },
    properties = {
      rows = { type = "integer" },
      groups = { type = "integer" },
      group_by = { type = "string" },
      total = { type = "object" },
      top = { type = "array", items = { type = "object", required = { "key", "rows", "totals" } } },
    },
  },
  run = run,
  examples = {
    {
      name = "groups, sums and the mean",
      input = { csv = "city,n\nOslo,2\nBonn,5\nOslo,4\n", group_by = "city", sum = { "n" }, top = 1 },
      output = {
        rows = 3, groups = 2, group_by = "city",
        total = { key = "total", rows = 3, totals = { n = { sum = 11, count = 3, min = 2, max = 5, mean = 11 / 3 } } },
        top = { { key = "Oslo", rows = 2, totals = { n = { sum = 6, count = 2, min = 2, max = 4, mean = 3.0 } } } },
      },
    },
    {
      name = "quoted fields, CRLF and an empty number",
      input = { csv = 'k,v\r\n"a,""b""",1\r\n"a,""b""",\r\n', group_by = "k", sum = { "v" } },
      output = {
        rows = 2, groups = 1, group_by = "k",
        total = { key = "total", rows = 2, totals = { v = { sum = 1, count = 1, min = 1, max = 1, mean = 1.0 } } },
        top = { { key = 'a,"b"', rows = 2, totals = { v = { sum = 1, count = 1, min = 1, max = 1, mean = 1.0 } } } },
      },
    },
    { name = "an unknown column is refused", input = { csv = "a\n1\n", group_by = "b" }, error = "InvalidInput" },
    { name = "text in a column of numbers is refused", input = { csv = "a,b\n1,x\n", group_by = "a", sum = { "b" } },
      error = "InvalidInput" },
  },
}
