-- tries:    to replace the metatable of strings
-- code:     ExecutionFailed
-- message:  bad argument #1 to .setmetatable. \(table expected, got string\)
return {
  name = "escape-setmetatable-string",
  version = "1.0.0",
  run = function(input, ctx)
    setmetatable("", { __index = function() return 1 end })
  end,
}
