-- tries:    a size that does not fit
-- code:     ExecutionFailed
-- message:  too large
return {
  name = "overflow-packsize",
  version = "1.0.0",
  run = function(input, ctx)
    return string.packsize(("c1000000000"):rep(3))
  end,
}
