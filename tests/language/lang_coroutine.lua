-- Coroutines.
return {
  name = "lang_coroutine",
  version = "1.0.0",
  run = function(check)
    local is, fails, pack = check.is, check.fails, table.pack
    local create, resume, yield, status = coroutine.create, coroutine.resume, coroutine.yield, coroutine.status

    local co = create(function(a, b)
      local c, d = yield(a + b)
      local e = yield(c * d)
      return e, "done"
    end)
    is("status before", status(co), "suspended")
    is("values go in and out", pack(resume(co, 2, 3)), true, 5)
    is("twice", pack(resume(co, 4, 5)), true, 20)
    is("results", pack(resume(co, "x")), true, "x", "done")
    is("status after", status(co), "dead")
    is("a dead one cannot be resumed", pack(resume(co)), false, "cannot resume dead coroutine")

    local failing = create(function() error({ code = 7 }) end)
    local fine, failure = resume(failing)
    is("errors are values", pack(fine, failure.code, status(failing)), false, 7, "dead")
    is("errors have a place", (select(2, resume(create(function() error("x") end)))):match("lang_coroutine%.lua:%d+: x") ~= nil, true)

    local count = coroutine.wrap(function() for i = 1, 3 do yield(i) end end)
    is("wrap", pack(count(), count(), count(), count()), 1, 2, 3)
    fails("wrap of a dead one", "cannot resume dead coroutine", count)
    fails("wrap raises", "inside", coroutine.wrap(function() error("inside") end))
    local squares = {}
    for n in coroutine.wrap(function() for i = 1, 4 do yield(i * i) end end) do squares[#squares + 1] = n end
    is("wrap as an iterator", table.concat(squares, ","), "1,4,9,16")

    is("running", pack(select(2, coroutine.running()), (coroutine.wrap(function() return select(2, coroutine.running()) end))()), true, false)
    is("isyieldable", pack(coroutine.isyieldable(), coroutine.wrap(function() return coroutine.isyieldable() end)()), false, true)
    fails("yield outside", "attempt to yield from outside a coroutine", yield, 1)
    local outer
    outer = create(function()
      local inner = create(function() return status(outer) end)
      return select(2, resume(inner))
    end)
    is("status of who resumes", select(2, resume(outer)), "normal")
    is("status of oneself", coroutine.wrap(function() return status((coroutine.running())) end)(), "running")
    local itself
    itself = create(function() return resume(itself) end)
    is("nobody resumes himself", pack(resume(itself)), true, false, "cannot resume non-suspended coroutine")

    is("yield across pcall", pack(coroutine.wrap(function() return pcall(function() return yield(1) end) end)()), 1)
    local across = create(function() local ok, e = pcall(function() yield() error("e", 0) end) return ok, e end)
    resume(across)
    is("an error after a yield is caught where it should be", pack(resume(across)), true, false, "e")
    local handled = create(function() return xpcall(function() yield() error("e", 0) end, function(e) return e .. "!" end) end)
    resume(handled)
    is("by xpcall too", pack(resume(handled)), true, false, "e!")
    local meta = create(function()
      local t = setmetatable({}, { __index = function(_, k) return yield(k) end, __add = function() return yield("add") end })
      return t.field, t + 1
    end)
    is("yield in metamethods", pack(resume(meta)), true, "field")
    is("and another", pack(resume(meta, 1)), true, "add")
    is("and back", pack(resume(meta, 2)), true, 1, 2)
    local iterating = create(function() local s = 0 for v in function(_, k) return yield(k) end do s = s + v end return s end)
    resume(iterating)
    resume(iterating, 5)
    is("yield in an iterator", pack(resume(iterating, nil)), true, 5)
    fails("no yield in a sort", "attempt to yield across a C-call boundary",
      coroutine.wrap(function() table.sort({ 2, 1 }, function() yield() end) end))

    local log = {}
    local closing = create(function()
      local _ <close> = setmetatable({}, { __close = function() log[#log + 1] = "closed" end })
      yield()
    end)
    resume(closing)
    is("close", pack(coroutine.close(closing), status(closing), log[1]), true, "dead", "closed")
    is("close of a fresh one", pack(coroutine.close(create(print))), true)
    local broken = create(function() error("e", 0) end)
    resume(broken)
    is("close tells the error", pack(coroutine.close(broken)), false, "e")
    fails("close of a running one", "cannot close a running coroutine", function() coroutine.close((coroutine.running())) end)

    local many = {}
    for i = 1, 200 do
      many[i] = create(function(n) while true do n = n + yield(n) end end)
      resume(many[i], i)
    end
    local sum = 0
    for i = 1, 200 do sum = sum + select(2, resume(many[i], 1)) end
    is("many at once", sum, 200 * 201 // 2 + 200)

    local function producer() return create(function() for i = 1, 3 do yield("item " .. i) end end) end
    local function filter(source)
      return create(function()
        while true do
          local _, item = resume(source)
          if not item then return end
          yield(item:upper())
        end
      end)
    end
    local pipeline, got = filter(producer()), {}
    while true do
      local _, item = resume(pipeline)
      if not item then break end
      got[#got + 1] = item
    end
    is("pipelines", table.concat(got, ","), "ITEM 1,ITEM 2,ITEM 3")
    fails("create wants a function", "function expected", create, 1)
    fails("resume wants a coroutine", "coroutine expected", resume, 1)
  end,
}
