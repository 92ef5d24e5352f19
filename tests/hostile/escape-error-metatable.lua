-- tries:    to change the metatable that error objects share
-- status:   completed
-- output:   [false,"c9.error","SkillNotFound"]
return {
  name = "escape-error-metatable",
  version = "1.0.0",
  run = function(input, ctx)
    local _, failure = pcall(c9.skills.call, "nobody", 1)
    local fine = pcall(setmetatable, failure, { __tostring = function() return "owned" end })
    return { fine, getmetatable(failure), failure.code }
  end,
}
