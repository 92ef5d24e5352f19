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

-- Members of the answer that are not to be read at `location` (a secret that is shown once), as a JSON
-- object.
ALTER TABLE idempotency_keys ADD COLUMN added @TEXT@;

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

CREATE TABLE webhooks (            -- who is told when executions end
  id @ID@ PRIMARY KEY,
  organization_id @ID@ NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  agent_id @ID@ REFERENCES agents(id) ON DELETE CASCADE,               -- NULL: all agents
  execution_id @ID@ REFERENCES agent_executions(id) ON DELETE CASCADE, -- of this one alone
  url @TEXT@ NOT NULL,
  description @TEXT@,
  events @JSON@ NOT NULL,          -- array of event names
  secret @TEXT@ NOT NULL,          -- whsec_…: signs, so it must be known
  old_secret @TEXT@,               -- signs too, until
  old_until @TIME@,
  is_active @BOOL@ NOT NULL DEFAULT 1,
  failing_since @TIME@,            -- NULL: the last delivery arrived
  disabled_reason @TEXT@,          -- why it is not active, when nobody asked for that
  created_by @ID@ NOT NULL,
  revision @INT@ NOT NULL DEFAULT 1,
  created_at @TIME@ NOT NULL,
  updated_at @TIME@ NOT NULL
) @STRICT@;
CREATE INDEX webhooks_page ON webhooks (organization_id, id) WHERE execution_id IS NULL;
CREATE INDEX webhooks_execution ON webhooks (execution_id) WHERE execution_id IS NOT NULL;
CREATE INDEX webhooks_agent ON webhooks (agent_id) WHERE agent_id IS NOT NULL;

CREATE TABLE webhook_deliveries (
  id @TEXT@ PRIMARY KEY,           -- EXECUTION_WEBHOOK; the header webhook-id
  webhook_id @ID@ NOT NULL REFERENCES webhooks(id) ON DELETE CASCADE,
  organization_id @ID@ NOT NULL,
  execution_id @ID@ NOT NULL REFERENCES agent_executions(id) ON DELETE CASCADE,
  event @TEXT@ NOT NULL,
  status @TEXT@ NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'dead')),
  attempts @INT@ NOT NULL DEFAULT 0, -- in all
  tries @INT@ NOT NULL DEFAULT 0,    -- since it was last asked for
  next_attempt_at @TIME@ NOT NULL,
  lease_until @TIME@,                -- an attempt is under way until then
  response_status @INT@,             -- of the last attempt
  error @TEXT@,                      -- of the last attempt
  delivered_at @TIME@,
  created_at @TIME@ NOT NULL
) @STRICT@;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_attempt_at)
  WHERE status = 'pending' AND lease_until IS NULL;
CREATE INDEX webhook_deliveries_leased ON webhook_deliveries (lease_until)
  WHERE status = 'pending' AND lease_until IS NOT NULL;
CREATE INDEX webhook_deliveries_page ON webhook_deliveries (organization_id, created_at, id);
CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook_id, created_at, id);
CREATE INDEX webhook_deliveries_execution ON webhook_deliveries (execution_id);

CREATE TABLE webhook_attempts (
  delivery_id @TEXT@ NOT NULL REFERENCES webhook_deliveries(id) ON DELETE CASCADE,
  attempt @INT@ NOT NULL,          -- 1, 2, 3 …
  attempted_at @TIME@ NOT NULL,
  took_ms @INT@ NOT NULL,
  response_status @INT@,           -- NULL: there was no answer
  response @TEXT@,                 -- its beginning
  error @TEXT@,                    -- NULL: it arrived
  PRIMARY KEY (delivery_id, attempt)
) @STRICT@;

CREATE TABLE dead_letters (        -- what was tried as often as it may be
  id @ID@ PRIMARY KEY,
  kind @TEXT@ NOT NULL CHECK (kind IN ('execution', 'webhook')),
  organization_id @ID@ NOT NULL,
  agent_id @ID@ NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  execution_id @ID@ NOT NULL REFERENCES agent_executions(id) ON DELETE CASCADE,
  delivery_id @TEXT@ REFERENCES webhook_deliveries(id) ON DELETE CASCADE,
  reason @TEXT@ NOT NULL,
  created_at @TIME@ NOT NULL,
  requeued_at @TIME@,              -- sent again
  requeued_as @ID@                 -- the new execution
) @STRICT@;
CREATE INDEX dead_letters_page ON dead_letters (organization_id, id);
CREATE INDEX dead_letters_execution ON dead_letters (execution_id);
