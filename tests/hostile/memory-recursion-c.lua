-- tries:    recursion through C
-- code:     ExecutionFailed
-- message:  C stack overflow
return {
  name = "memory-recursion-c",
  version = "1.0.0",
  run = function(input, ctx)
    local function f(s) return (s:gsub("x", f)) end
    return f("x")
  end,
}
