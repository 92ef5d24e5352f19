-- tries:    to hang whoever loads the file
-- upload:   refused
-- code:     InvalidSkill
-- message:  too long to load|CPU time
while true do pcall(function() while true do end end) end
