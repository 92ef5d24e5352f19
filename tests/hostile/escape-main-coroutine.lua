-- tries:    to close or resume the coroutine that it runs in
-- status:   completed
-- output:   [false,false,"cannot resume non-suspended coroutine",false,false]
return {
  name = "escape-main-coroutine",
  version = "1.0.0",
  run = function(input, ctx)
    local main = coroutine.running()
    local closed = pcall(coroutine.close, main)
    local resumed, why = coroutine.resume(main)
    local from_inside = coroutine.wrap(function() return coroutine.resume(main) end)()
    return { closed, resumed, why, from_inside, (pcall(coroutine.yield, 1)) }
  end,
}
