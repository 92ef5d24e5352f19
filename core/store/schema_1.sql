-- Migration 1. Names, columns and checks are the specification's; what stands beside them is c9d's own.
-- Type tokens (@ID@ …) are mapped by the storage driver. Times are microseconds since 1970, UTC.

CREATE TABLE instance (          -- one row a fact of this installation
  key @TEXT@ PRIMARY KEY,
  value @TEXT@ NOT NULL
) @STRICT@;

CREATE TABLE organizations (
  id @ID@ PRIMARY KEY,
  name @TEXT@ NOT NULL UNIQUE,
  settings @JSON@ NOT NULL DEFAULT '{}',
  created_at @TIME@ NOT NULL,
  updated_at @TIME@ NOT NULL
) @STRICT@;

CREATE TABLE users (
  id @ID@ PRIMARY KEY,
  name @TEXT@ NOT NULL,
  email @TEXT@ UNIQUE,
  created_at @TIME@ NOT NULL,
  updated_at @TIME@ NOT NULL
) @STRICT@;

CREATE TABLE memberships (
  organization_id @ID@ NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  user_id @ID@ NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  role @TEXT@ NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
  created_at @TIME@ NOT NULL,
  PRIMARY KEY (organization_id, user_id)
) @STRICT@;

CREATE TABLE tokens (
  id @ID@ PRIMARY KEY,
  name @TEXT@ NOT NULL,
  hash @TEXT@ NOT NULL UNIQUE,   -- SHA-256 of the token, hex; the token itself is never stored
  user_id @ID@ NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  organization_id @ID@ NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  scopes @JSON@ NOT NULL,        -- array of scope names
  expires_at @TIME@,
  revoked_at @TIME@,
  last_used_at @TIME@,           -- to the minute
  created_at @TIME@ NOT NULL
) @STRICT@;
CREATE INDEX tokens_organization ON tokens (organization_id, id);

CREATE TABLE personas (
  id @ID@ PRIMARY KEY,
  name @TEXT@ NOT NULL,
  description @TEXT@,
  prompt @TEXT@ NOT NULL,
  user_id @ID@ NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  organization_id @ID@ NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  revision @INT@ NOT NULL DEFAULT 1,  -- counts edits; the ETag
  created_at @TIME@ NOT NULL,
  updated_at @TIME@ NOT NULL,
  UNIQUE (organization_id, name)
) @STRICT@;

CREATE TABLE skills (            -- a name; its sources are revisions
  id @ID@ PRIMARY KEY,
  name @TEXT@ NOT NULL,
  organization_id @ID@ NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  user_id @ID@ NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  current_sha256 @TEXT@ NOT NULL,
  created_at @TIME@ NOT NULL,
  updated_at @TIME@ NOT NULL,
  UNIQUE (organization_id, name)
) @STRICT@;

CREATE TABLE skill_sources (     -- content-addressed; kept while any version pins it
  sha256 @TEXT@ PRIMARY KEY,
  source @TEXT@ NOT NULL,
  manifest @JSON@ NOT NULL       -- what the file says of itself: name, version, input, output, needs …
) @STRICT@;

CREATE TABLE skill_revisions (
  skill_id @ID@ NOT NULL REFERENCES skills(id) ON DELETE CASCADE,
  sha256 @TEXT@ NOT NULL REFERENCES skill_sources(sha256),
  version @TEXT@ NOT NULL,
  created_by @ID@ NOT NULL,
  created_at @TIME@ NOT NULL,
  PRIMARY KEY (skill_id, sha256)
) @STRICT@;

CREATE TABLE agents (
  id @ID@ PRIMARY KEY,
  name @TEXT@ NOT NULL,
  description @TEXT@,
  user_id @ID@ NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  organization_id @ID@ NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  persona_id @ID@,
  skillset @JSON@ NOT NULL DEFAULT '[]',
  input_schema @JSON@,
  output_schema @JSON@,
  trigger_mode @TEXT@ NOT NULL DEFAULT 'manual' CHECK (trigger_mode IN ('manual', 'event', 'scheduled')),
  trigger_config @JSON@ NOT NULL DEFAULT '{}',
  execution_config @JSON@ NOT NULL DEFAULT '{}',
  visibility @TEXT@ NOT NULL DEFAULT 'private' CHECK (visibility IN ('private', 'team', 'organization', 'public')),
  status @TEXT@ NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'published', 'deprecated', 'archived')),
  current_version @TEXT@ NOT NULL DEFAULT '1.0.0',
  metadata @JSON@ NOT NULL DEFAULT '{}',
  revision @INT@ NOT NULL DEFAULT 1,  -- counts edits; the ETag
  created_at @TIME@ NOT NULL,
  updated_at @TIME@ NOT NULL,
  UNIQUE (organization_id, name)
) @STRICT@;
CREATE INDEX agents_page ON agents (organization_id, created_at, id);
CREATE INDEX agents_persona ON agents (persona_id);

CREATE TABLE agent_versions (
  id @ID@ PRIMARY KEY,
  agent_id @ID@ NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  version @TEXT@ NOT NULL,
  config @JSON@ NOT NULL,
  changelog @TEXT@,
  pins @JSON@,                   -- set by publishing: {"skills":[{name,version,sha256}],"persona":{id,name,prompt}|null}
  published_at @TIME@,
  created_by @ID@ REFERENCES users(id),
  is_current @BOOL@ NOT NULL DEFAULT 0,
  created_at @TIME@ NOT NULL,
  UNIQUE (agent_id, version)
) @STRICT@;
CREATE UNIQUE INDEX agent_versions_current ON agent_versions (agent_id) WHERE is_current = 1;

CREATE TABLE agent_permissions (
  id @ID@ PRIMARY KEY,
  agent_id @ID@ NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  user_id @ID@ NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  permission_type @TEXT@ NOT NULL CHECK (permission_type IN ('read', 'write', 'execute', 'admin')),
  granted_by @ID@ REFERENCES users(id),
  granted_at @TIME@ NOT NULL,
  UNIQUE (agent_id, user_id, permission_type)
) @STRICT@;

CREATE TABLE agent_executions (
  id @ID@ PRIMARY KEY,
  agent_id @ID@ NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  agent_version @TEXT@ NOT NULL, -- 'draft' for a run of the draft
  organization_id @ID@ NOT NULL,
  input_data @JSON@,
  output_data @JSON@,
  -- Not IN (...): SQLite makes a table of such a list each time a row is written.
  status @TEXT@ NOT NULL DEFAULT 'pending' CHECK (status = 'pending' OR status = 'running' OR status = 'completed'
    OR status = 'failed' OR status = 'cancelled'),
  started_at @TIME@,
  completed_at @TIME@,
  execution_time_ms @INT@,
  error_message @TEXT@,
  error_details @JSON@,          -- the error object: code, details, traceback
  resource_usage @JSON@ NOT NULL DEFAULT '{}',
  triggered_by @ID@ NOT NULL,    -- user
  parent_id @ID@,                -- the execution that asked for this one
  execution_context @JSON@ NOT NULL DEFAULT '{}',
  cancel_requested @BOOL@ NOT NULL DEFAULT 0,
  priority @INT@ NOT NULL DEFAULT 0,
  available_at @TIME@ NOT NULL,  -- not before
  lease_owner @TEXT@,
  lease_until @TIME@,
  attempt @INT@ NOT NULL DEFAULT 0,
  created_at @TIME@ NOT NULL
) @STRICT@;
-- An active row is in one of these two: waiting to be claimed, or leased and perhaps expired.
CREATE INDEX agent_executions_waiting ON agent_executions (priority DESC, available_at, id)
  WHERE status IN ('pending', 'running') AND lease_owner IS NULL;
CREATE INDEX agent_executions_leased ON agent_executions (lease_until)
  WHERE status IN ('pending', 'running') AND lease_owner IS NOT NULL;
CREATE INDEX agent_executions_page ON agent_executions (organization_id, id);
CREATE INDEX agent_executions_agent ON agent_executions (agent_id, id);
-- For lists by status. Completed rows are most, and found along the page index.
CREATE INDEX agent_executions_status ON agent_executions (organization_id, status, id)
  WHERE status <> 'completed';

CREATE TABLE execution_logs (
  id @ID@ PRIMARY KEY,
  execution_id @ID@ NOT NULL REFERENCES agent_executions(id) ON DELETE CASCADE,
  seq @INT@ NOT NULL,            -- place in the execution's event sequence
  log_level @TEXT@ NOT NULL CHECK (log_level = 'debug' OR log_level = 'info' OR log_level = 'warn'
    OR log_level = 'error'),
  message @TEXT@ NOT NULL,
  metadata @JSON@ NOT NULL DEFAULT '{}',
  notice @INT@,                  -- as in execution_events
  timestamp @TIME@ NOT NULL
) @STRICT@;
CREATE UNIQUE INDEX execution_logs_page ON execution_logs (execution_id, seq);

CREATE TABLE execution_events (  -- everything of the stream that is not a log
  execution_id @ID@ NOT NULL REFERENCES agent_executions(id) ON DELETE CASCADE,
  seq @INT@ NOT NULL,            -- 1, 2, 3 … together with execution_logs, without gaps
  type @TEXT@ NOT NULL,          -- status, emit, delta, end
  data @JSON@ NOT NULL,
  notice @INT@,                  -- number of the executor's notice (LOG and EMIT), for replay
  timestamp @TIME@ NOT NULL,
  PRIMARY KEY (execution_id, seq)
) @STRICT_BY_KEY@;

CREATE TABLE execution_journal ( -- answers of effects, in the order answered
  execution_id @ID@ NOT NULL REFERENCES agent_executions(id) ON DELETE CASCADE,
  seq @INT@ NOT NULL,            -- the request's id: 1, 2, 3 …
  kind @TEXT@ NOT NULL,
  request_sha256 @TEXT@ NOT NULL,
  answer @JSON@ NOT NULL,
  is_error @BOOL@ NOT NULL DEFAULT 0,
  api_calls @INT@ NOT NULL DEFAULT 0,
  tokens @INT@ NOT NULL DEFAULT 0,
  cost_microcents @INT@ NOT NULL DEFAULT 0,
  asked_at @TIME@ NOT NULL,
  answered_at @TIME@ NOT NULL,
  PRIMARY KEY (execution_id, seq)
) @STRICT@;

CREATE TABLE agent_resource_usage (
  id @ID@ PRIMARY KEY,
  agent_id @ID@ REFERENCES agents(id) ON DELETE CASCADE,
  execution_id @ID@ REFERENCES agent_executions(id) ON DELETE CASCADE,
  cpu_time_ms @INT@ NOT NULL,
  cpu_time_us @INT@ NOT NULL,    -- the exact figure
  memory_peak_mb @INT@ NOT NULL,
  memory_peak_bytes @INT@ NOT NULL,
  api_calls_count @INT@ NOT NULL,
  tokens_consumed @INT@ NOT NULL,
  cost_cents @INT@ NOT NULL,
  cost_microcents @INT@ NOT NULL,
  recorded_at @TIME@ NOT NULL
) @STRICT_BY_KEY@;
CREATE INDEX agent_resource_usage_execution ON agent_resource_usage (execution_id);
CREATE INDEX agent_resource_usage_agent ON agent_resource_usage (agent_id, recorded_at);

CREATE TABLE agent_chains (
  id @ID@ PRIMARY KEY,
  name @TEXT@ NOT NULL,
  description @TEXT@,
  user_id @ID@ REFERENCES users(id) ON DELETE CASCADE,
  organization_id @ID@ REFERENCES organizations(id) ON DELETE CASCADE,
  chain_config @JSON@ NOT NULL,
  status @TEXT@ NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'inactive', 'deprecated')),
  created_at @TIME@ NOT NULL,
  updated_at @TIME@ NOT NULL
) @STRICT@;

CREATE TABLE chain_executions (
  id @ID@ PRIMARY KEY,
  chain_id @ID@ REFERENCES agent_chains(id) ON DELETE CASCADE,
  input_data @JSON@,
  output_data @JSON@,
  status @TEXT@ NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled')),
  started_at @TIME@,
  completed_at @TIME@,
  execution_steps @JSON@ NOT NULL DEFAULT '[]',
  triggered_by @ID@ REFERENCES users(id),
  created_at @TIME@ NOT NULL
) @STRICT@;

CREATE TABLE scheduled_executions (
  id @ID@ PRIMARY KEY,
  agent_id @ID@ REFERENCES agents(id) ON DELETE CASCADE,
  cron_expression @TEXT@ NOT NULL,
  timezone @TEXT@ NOT NULL DEFAULT 'UTC',
  input_data @JSON@,
  is_active @BOOL@ NOT NULL DEFAULT 1,
  last_execution_at @TIME@,
  next_execution_at @TIME@,
  created_by @ID@ REFERENCES users(id),
  created_at @TIME@ NOT NULL,
  updated_at @TIME@ NOT NULL
) @STRICT@;

CREATE TABLE idempotency_keys (
  organization_id @ID@ NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  key @TEXT@ NOT NULL,
  request_sha256 @TEXT@ NOT NULL, -- of operation and body
  status @INT@ NOT NULL,          -- of the answer given
  location @TEXT@,                -- of what was made
  body @TEXT@,
  created_at @TIME@ NOT NULL,
  PRIMARY KEY (organization_id, key)
) @STRICT@;
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
