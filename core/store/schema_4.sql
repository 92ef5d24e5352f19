-- Migration 4. Journal: what was asked, long waits, signals, forks.

ALTER TABLE execution_journal ADD COLUMN request @JSON@;  -- what was asked; NULL: longer than [journal] request
ALTER TABLE execution_journal ADD COLUMN copied @BOOL@ NOT NULL DEFAULT 0; -- of the execution this one was forked from

ALTER TABLE agent_executions ADD COLUMN journal_removed @BOOL@ NOT NULL DEFAULT 0; -- by retention
ALTER TABLE agent_executions ADD COLUMN waiting_for @JSON@; -- array of its long waits; NULL: none
-- Of former lives, put down when it was evicted: wall time with a process (of this attempt), CPU time, most memory.
ALTER TABLE agent_executions ADD COLUMN active_us @INT@ NOT NULL DEFAULT 0;
ALTER TABLE agent_executions ADD COLUMN cpu_us @INT@ NOT NULL DEFAULT 0;
ALTER TABLE agent_executions ADD COLUMN memory_peak @INT@ NOT NULL DEFAULT 0;
ALTER TABLE agent_executions ADD COLUMN origin_id @ID@;   -- the execution it was made of
ALTER TABLE agent_executions ADD COLUMN origin_kind @TEXT@ CHECK (origin_kind IN ('retry', 'fork'));
ALTER TABLE agent_executions ADD COLUMN seed_id @ID@;     -- whose seed it has; NULL: its own

-- An evicted execution is a row that runs, has no lease, and is not available yet: until it is due, or (far ahead) until
-- a signal, a child's end or a cancellation makes it available. So the queue wakes it as it starts what was put off.

CREATE INDEX agent_executions_parent ON agent_executions (parent_id)
  WHERE parent_id IS NOT NULL AND status IN ('pending', 'running');
CREATE INDEX agent_executions_ended ON agent_executions (completed_at, id)
  WHERE completed_at IS NOT NULL;  -- for retention

-- How often an effect was asked that was under way when a life of its execution ended; no row: once at most.
CREATE TABLE execution_asks (
  execution_id @ID@ NOT NULL REFERENCES agent_executions(id) ON DELETE CASCADE,
  seq @INT@ NOT NULL,
  asks @INT@ NOT NULL,
  asked_at @TIME@ NOT NULL,
  PRIMARY KEY (execution_id, seq)
) @STRICT@;

CREATE TABLE execution_waits (   -- long waits that have not ended
  id @ID@ PRIMARY KEY,
  execution_id @ID@ NOT NULL REFERENCES agent_executions(id) ON DELETE CASCADE,
  organization_id @ID@ NOT NULL,
  seq @INT@ NOT NULL,            -- the request that waits
  kind @TEXT@ NOT NULL CHECK (kind IN ('sleep', 'signal', 'execution')),
  name @TEXT@,                   -- the signal's name; the child execution's id
  schema @JSON@,                 -- that a signal must match
  since @TIME@ NOT NULL,
  until @TIME@,                  -- NULL: no limit
  UNIQUE (execution_id, seq)
) @STRICT@;
CREATE INDEX execution_waits_page ON execution_waits (organization_id, id);

CREATE TABLE execution_signals (
  id @ID@ PRIMARY KEY,
  execution_id @ID@ NOT NULL REFERENCES agent_executions(id) ON DELETE CASCADE,
  name @TEXT@ NOT NULL,
  key @TEXT@,                    -- Idempotency-Key of who sent it
  payload @JSON@ NOT NULL,
  sent_by @ID@ NOT NULL,         -- user
  state @TEXT@ NOT NULL DEFAULT 'kept' CHECK (state IN ('kept', 'delivered', 'refused')),
  seq @INT@,                     -- the request that it answered
  created_at @TIME@ NOT NULL,
  settled_at @TIME@
) @STRICT@;
CREATE INDEX execution_signals_kept ON execution_signals (execution_id, name, id) WHERE state = 'kept';
CREATE UNIQUE INDEX execution_signals_key ON execution_signals (execution_id, name, key) WHERE key IS NOT NULL;
