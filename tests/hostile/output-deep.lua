-- tries:    nesting beyond all sense
-- code:     ExecutionFailed
-- message:  output.*deep|output.*levels
return {
  name = "output-deep",
  version = "1.0.0",
  run = function(input, ctx)
    local t = {}
    for _ = 1, 200 do t = { t } end
    return t
  end,
}
