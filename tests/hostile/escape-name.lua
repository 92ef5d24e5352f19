-- tries:    to be stored under a path
-- upload:   refused
-- code:     InvalidSkill
-- message:  name
return { name = "../../etc/passwd", version = "1.0.0", run = function() end }
