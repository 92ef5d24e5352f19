-- tries:    to be something else than a skill
-- upload:   refused
-- code:     InvalidSkill
-- message:  name
return setmetatable({}, { __index = function() while true do end end })
