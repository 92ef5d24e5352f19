-- Counts what is in a text: characters, words, sentences, lines, and its most frequent words.

local function run(input)
  local text = input.text
  local words, counts, list = 0, {}, c9.json.array({})
  for word in text:gmatch("[%w\128-\255'-]+") do
    words = words + 1
    word = word:lower()
    counts[word] = (counts[word] or 0) + 1
  end
  for word, n in pairs(counts) do
    list[#list + 1] = { word = word, count = n }
  end
  table.sort(list, function(a, b)
    if a.count ~= b.count then
      return a.count > b.count
    end
    return a.word < b.word
  end)
  while #list > (input.top or 5) do
    list[#list] = nil
  end
  local _, sentences = text:gsub("[.!?]+%f[%s\0]", "")
  local _, breaks = text:gsub("\n", "")
  return {
    characters = utf8.len(text),
    bytes = #text,
    words = words,
    sentences = sentences,
    lines = #text == 0 and 0 or breaks + (text:sub(-1) == "\n" and 0 or 1),
    frequent = list,
  }
end

return {
  name = "text_stats",
  version = "1.0.0",
  description = "Count characters, words, sentences and lines of a text, and its most frequent words.",
  input = {
    type = "object",
    required = { "text" },
    properties = {
      text = { type = "string" },
      top = { type = "integer", minimum = 0, maximum = 100, description = "how many frequent words; 5 if absent" },
    },
    additionalProperties = false,
  },
  output = { type = "object", required = { "characters", "words", "sentences", "lines", "frequent" } },
  run = run,
  examples = {
    {
      name = "a short text",
      input = { text = "To be, or not to be? Größe.\n", top = 2 },
      output = {
        characters = 28, bytes = 30, words = 7, sentences = 2, lines = 1,
        frequent = { { word = "be", count = 2 }, { word = "to", count = 2 } },
      },
    },
    {
      name = "nothing",
      input = { text = "" },
      output = { characters = 0, bytes = 0, words = 0, sentences = 0, lines = 0, frequent = c9.json.array({}) },
    },
  },
}
