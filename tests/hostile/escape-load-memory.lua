-- tries:    to exhaust whoever loads the file
-- upload:   refused
-- code:     InvalidSkill
-- message:  memory|CPU time
local t = {}
while true do t[#t + 1] = ("x"):rep(1000) .. #t end
