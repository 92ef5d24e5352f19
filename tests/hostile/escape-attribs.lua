-- tries:    to make a constant into a variable
-- upload:   refused
-- code:     InvalidSkill
-- message:  attempt to assign to const variable 'name'
local name <const> = "escape-attribs"
name = "another"
return { name = name, version = "1.0.0", run = function() end }
