-- tries:    randomness that is not the execution's
-- status:   completed
-- output:   .
-- twice:    same
return {
  name = "determinism-random",
  version = "1.0.0",
  run = function(input, ctx)
    math.randomseed(7)
    return { math.random(1000), math.random(1000), math.random(1000) }
  end,
}
