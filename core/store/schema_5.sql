-- Migration 5. Execution service: the line, retries, concurrency, batches, webhooks, dead letters.

-- Where a row without a lease stands among those of its priority; NULL: not in line yet (delayed, or
-- not looked at). Rows are put in line when they become available: each agent's are numbered on
-- from its last, so that agents take turns whatever the length of their lines.
ALTER TABLE agent_executions ADD COLUMN turn @INT@;
-- Attempts of the retry policy that have failed. `attempt` counts the starts of the present one.
ALTER TABLE agent_executions ADD COLUMN retries @INT@ NOT NULL DEFAULT 0;
-- Events up to here belong to attempts that have failed.
ALTER TABLE agent_executions ADD COLUMN attempt_seq @INT@ NOT NULL DEFAULT 0;

DROP INDEX agent_executions_waiting;
CREATE INDEX agent_executions_waiting ON agent_executions (priority DESC, turn, available_at, id)
  WHERE status IN ('pending', 'running') AND lease_owner IS NULL AND turn IS NOT NULL;
CREATE INDEX agent_executions_line ON agent_executions (agent_id, priority, turn)
  WHERE status IN ('pending', 'running') AND lease_owner IS NULL AND turn IS NOT NULL;
CREATE INDEX agent_executions_delayed ON agent_executions (available_at)
  WHERE status IN ('pending', 'running') AND lease_owner IS NULL AND turn IS NULL;
