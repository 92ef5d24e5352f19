-- tries:    to make a call while the file is loaded
-- upload:   refused
-- code:     InvalidSkill
-- message:  cannot be called while|not while it is loaded
local now = c9.now()
return { name = "escape-load-time", version = "1.0.0", run = function() return now end }
