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
