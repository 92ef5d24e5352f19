-- Migration 6. Schedules and events.

-- next_execution_at is when the next run begins: scheduled_for, the time that the expression gives, and
-- its jitter. scheduled_for 0: to be calculated anew.
ALTER TABLE scheduled_executions ADD COLUMN organization_id @ID@;
ALTER TABLE scheduled_executions ADD COLUMN name @TEXT@;
ALTER TABLE scheduled_executions ADD COLUMN version @TEXT@;  -- reference; NULL: latest
ALTER TABLE scheduled_executions ADD COLUMN overlap_policy @TEXT@ NOT NULL DEFAULT 'skip'
  CHECK (overlap_policy IN ('skip', 'queue', 'cancelRunning', 'allow'));
ALTER TABLE scheduled_executions ADD COLUMN missed_run_policy @TEXT@ NOT NULL DEFAULT 'one'
  CHECK (missed_run_policy IN ('skip', 'one', 'all'));
ALTER TABLE scheduled_executions ADD COLUMN missed_run_window_ms @INT@ NOT NULL DEFAULT 86400000;
ALTER TABLE scheduled_executions ADD COLUMN jitter_ms @INT@ NOT NULL DEFAULT 0;
ALTER TABLE scheduled_executions ADD COLUMN scheduled_for @TIME@ NOT NULL DEFAULT 0;
ALTER TABLE scheduled_executions ADD COLUMN last_scheduled_for @TIME@;
ALTER TABLE scheduled_executions ADD COLUMN last_outcome @TEXT@;
ALTER TABLE scheduled_executions ADD COLUMN origin @TEXT@ NOT NULL DEFAULT 'api'
  CHECK (origin IN ('api', 'agent'));  -- agent: from the triggerConfig of its published version
ALTER TABLE scheduled_executions ADD COLUMN revision @INT@ NOT NULL DEFAULT 1;
UPDATE scheduled_executions SET next_execution_at = CASE WHEN is_active = 1 THEN 0 END,
  organization_id = (SELECT a.organization_id FROM agents a WHERE a.id = agent_id);
CREATE INDEX scheduled_executions_due ON scheduled_executions (next_execution_at) WHERE is_active = 1;
CREATE INDEX scheduled_executions_page ON scheduled_executions (organization_id, id);
CREATE INDEX scheduled_executions_agent ON scheduled_executions (agent_id, id);
CREATE UNIQUE INDEX scheduled_executions_origin ON scheduled_executions (agent_id) WHERE origin = 'agent';

CREATE TABLE schedule_runs (     -- one row a time of a schedule that came, whatever became of it
  id @ID@ PRIMARY KEY,
  schedule_id @ID@ NOT NULL REFERENCES scheduled_executions(id) ON DELETE CASCADE,
  scheduled_for @TIME@ NOT NULL, -- for runs by hand: when they were asked for
  outcome @TEXT@ NOT NULL CHECK (outcome IN ('started', 'queued', 'skipped', 'missed', 'failed')),
  by_hand @BOOL@ NOT NULL DEFAULT 0,
  execution_id @ID@,
  reason @TEXT@,                 -- of skipped, missed and failed
  error_code @TEXT@,
  missed_count @INT@,            -- of missed: this many, from scheduled_for to missed_until
  missed_until @TIME@,
  created_at @TIME@ NOT NULL,
  UNIQUE (schedule_id, scheduled_for)  -- a time never runs twice
) @STRICT@;
CREATE INDEX schedule_runs_page ON schedule_runs (schedule_id, id);
CREATE INDEX schedule_runs_queued ON schedule_runs (schedule_id, id) WHERE outcome = 'queued';

ALTER TABLE agent_executions ADD COLUMN schedule_id @ID@;
CREATE INDEX agent_executions_scheduled ON agent_executions (schedule_id)
  WHERE schedule_id IS NOT NULL AND status IN ('pending', 'running');

CREATE TABLE event_triggers (    -- what published agents of triggerMode event wait for
  agent_id @ID@ PRIMARY KEY REFERENCES agents(id) ON DELETE CASCADE,
  organization_id @ID@ NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  user_id @ID@ NOT NULL,         -- who published it: in his name it is executed
  events @JSON@ NOT NULL,        -- triggerConfig.events
  updated_at @TIME@ NOT NULL
) @STRICT@;
CREATE INDEX event_triggers_organization ON event_triggers (organization_id, agent_id);

CREATE TABLE events (
  id @ID@ PRIMARY KEY,
  organization_id @ID@ NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  user_id @ID@ NOT NULL,         -- who sent it, or made the endpoint
  endpoint_id @ID@,              -- the webhook endpoint that took it
  source @TEXT@ NOT NULL,
  event_id @TEXT@ NOT NULL,      -- the CloudEvent's id
  type @TEXT@ NOT NULL,
  subject @TEXT@,
  event @JSON@ NOT NULL,
  dedup_key @TEXT@,              -- SHA-256 of source and event_id; NULL when that may come again
  received_at @TIME@ NOT NULL,
  UNIQUE (organization_id, dedup_key)
) @STRICT@;
CREATE INDEX events_page ON events (organization_id, id);
CREATE INDEX events_age ON events (organization_id, received_at);

CREATE TABLE event_matches (     -- agents that an event was for
  event_id @ID@ NOT NULL REFERENCES events(id) ON DELETE CASCADE,
  agent_id @ID@ NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  outcome @TEXT@ NOT NULL CHECK (outcome IN ('started', 'failed')),
  execution_id @ID@,
  reason @TEXT@,
  error_code @TEXT@,
  PRIMARY KEY (event_id, agent_id)
) @STRICT@;
CREATE INDEX event_matches_agent ON event_matches (agent_id);

CREATE TABLE hook_endpoints (    -- POST /v1/hooks/{id}
  id @ID@ PRIMARY KEY,
  agent_id @ID@ NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  organization_id @ID@ NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  created_by @ID@ NOT NULL,      -- in his name it is executed
  name @TEXT@ NOT NULL,
  style @TEXT@ NOT NULL CHECK (style IN ('standard', 'github')),
  delivers @TEXT@ NOT NULL CHECK (delivers IN ('execution', 'event')),
  event_type @TEXT@,
  version @TEXT@,                -- reference; NULL: latest
  secret @TEXT@ NOT NULL,        -- needed as it is: signatures are made with it
  previous_secret @TEXT@,        -- valid until previous_until
  previous_until @TIME@,
  tolerance_ms @INT@ NOT NULL,
  is_active @BOOL@ NOT NULL DEFAULT 1,
  last_delivery_at @TIME@,       -- to the minute
  revision @INT@ NOT NULL DEFAULT 1,
  created_at @TIME@ NOT NULL,
  updated_at @TIME@ NOT NULL
) @STRICT@;
CREATE INDEX hook_endpoints_page ON hook_endpoints (organization_id, id);
CREATE INDEX hook_endpoints_agent ON hook_endpoints (agent_id, id);

CREATE TABLE hook_deliveries (   -- what was taken, so that it is not taken again
  endpoint_id @ID@ NOT NULL REFERENCES hook_endpoints(id) ON DELETE CASCADE,
  delivery_key @TEXT@ NOT NULL,
  execution_id @ID@ NOT NULL,
  created_at @TIME@ NOT NULL,
  PRIMARY KEY (endpoint_id, delivery_key)
) @STRICT@;
CREATE INDEX hook_deliveries_age ON hook_deliveries (endpoint_id, created_at);
