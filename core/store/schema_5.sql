-- Migration 5. Execution service: the line, retries, concurrency, batches, webhooks, dead letters.

-- Where a row without a lease stands among those of its priority; NULL: not in line yet (delayed, or
-- not looked at). Rows are put in line when they become available: each agent's are numbered on
-- from its last, so that agents take turns whatever the length of their lines.
ALTER TABLE agent_executions ADD COLUMN turn @INT@;
-- Attempts of the retry policy that have failed. `attempt` counts the starts of the present one.
ALTER TABLE agent_executions ADD COLUMN retries @INT@ NOT NULL DEFAULT 0;
-- Events up to here belong to attempts that have failed.
ALTER TABLE agent_executions ADD COLUMN attempt_seq @INT@ NOT NULL DEFAULT 0;
ALTER TABLE agent_executions ADD COLUMN concurrency_key @TEXT@;
-- The limit whose line is full, so that it waits here instead of in memory; NULL: none.
ALTER TABLE agent_executions ADD COLUMN blocked_on @TEXT@;

DROP INDEX agent_executions_waiting;
CREATE INDEX agent_executions_waiting ON agent_executions (priority DESC, turn, available_at, id)
  WHERE status IN ('pending', 'running') AND lease_owner IS NULL AND turn IS NOT NULL;
CREATE INDEX agent_executions_line ON agent_executions (agent_id, priority, turn)
  WHERE status IN ('pending', 'running') AND lease_owner IS NULL AND turn IS NOT NULL;
CREATE INDEX agent_executions_delayed ON agent_executions (available_at)
  WHERE status IN ('pending', 'running') AND lease_owner IS NULL AND turn IS NULL;
CREATE INDEX agent_executions_blocked ON agent_executions (blocked_on, priority DESC, created_at, id)
  WHERE status IN ('pending', 'running') AND blocked_on IS NOT NULL;
CREATE INDEX agent_executions_key ON agent_executions (organization_id, concurrency_key, id)
  WHERE concurrency_key IS NOT NULL;

CREATE TABLE execution_attempts ( -- one row an attempt that failed and was tried again, and the last
  execution_id @ID@ NOT NULL REFERENCES agent_executions(id) ON DELETE CASCADE,
  attempt @INT@ NOT NULL,        -- 1, 2, 3 …
  status @TEXT@ NOT NULL CHECK (status IN ('completed', 'failed', 'cancelled')),
  error_message @TEXT@,
  error_details @JSON@,
  started_at @TIME@,
  completed_at @TIME@ NOT NULL,
  next_attempt_at @TIME@,        -- NULL: it was the last
  PRIMARY KEY (execution_id, attempt)
) @STRICT@;

CREATE TABLE execution_batches (
  id @ID@ PRIMARY KEY,
  organization_id @ID@ NOT NULL,
  agent_id @ID@ NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  agent_version @TEXT@ NOT NULL,
  total @INT@ NOT NULL,
  created_by @ID@ NOT NULL,      -- user
  created_at @TIME@ NOT NULL
) @STRICT@;
CREATE INDEX execution_batches_page ON execution_batches (organization_id, id);

ALTER TABLE agent_executions ADD COLUMN batch_id @ID@;
ALTER TABLE agent_executions ADD COLUMN batch_index @INT@; -- 0, 1, 2 …
CREATE INDEX agent_executions_batch ON agent_executions (batch_id, batch_index)
  WHERE batch_id IS NOT NULL;
