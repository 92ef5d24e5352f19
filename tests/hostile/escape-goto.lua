-- tries:    to jump into the scope of a local variable
-- upload:   refused
-- code:     InvalidSkill
-- message:  no visible label 'inside'|jumps into the scope
goto inside
do
  local x = 1
  ::inside::
  return { name = "escape-goto", version = "1.0.0", run = function() return x end }
end
