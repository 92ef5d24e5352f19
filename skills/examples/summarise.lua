-- One question to a model: the smallest skill that uses one.
return {
  name = "summarise",
  version = "1.0.0",
  description = "Summarise a text in a few sentences.",
  input = {
    type = "object",
    required = { "text" },
    properties = {
      text = { type = "string", minLength = 1 },
      sentences = { type = "integer", minimum = 1, maximum = 20, description = "how many; 3 if absent" },
    },
    additionalProperties = false,
  },
  output = { type = "string" },
  needs = { model = { "default" } },
  run = function(input)
    local answer = c9.model.chat({
      messages = {
        { role = "system", content = ("Summarise the text in at most %d sentences."):format(input.sentences or 3) },
        { role = "user", content = input.text },
      },
      emit = true,
    })
    c9.log.info("summarised", { usage = answer.usage })
    return answer.content
  end,
  examples = {
    {
      name = "the model's text is the output",
      input = { text = "It rained. It rained more. Then it stopped.", sentences = 1 },
      model = { { content = "It rained, then stopped." } },
      output = "It rained, then stopped.",
    },
  },
}
