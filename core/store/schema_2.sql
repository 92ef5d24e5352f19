-- Migration 2. People: teams, service accounts, grants, audit.

ALTER TABLE users ADD COLUMN kind @TEXT@ NOT NULL DEFAULT 'person' CHECK (kind IN ('person', 'service'));
-- Removed users stay as a name for what refers to them (versions, executions, the audit log): without e-mail
-- address, memberships, tokens, teams and grants.
ALTER TABLE users ADD COLUMN removed_at @TIME@;
ALTER TABLE tokens ADD COLUMN rotated_to @ID@;  -- the token that takes its place

CREATE TABLE identities (        -- users as an identity provider knows them
  issuer @TEXT@ NOT NULL,
  subject @TEXT@ NOT NULL,
  user_id @ID@ NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  created_at @TIME@ NOT NULL,
  PRIMARY KEY (issuer, subject)
) @STRICT@;
CREATE INDEX identities_user ON identities (user_id);
CREATE INDEX memberships_user ON memberships (user_id, organization_id);

CREATE TABLE teams (
  id @ID@ PRIMARY KEY,
  organization_id @ID@ NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
  name @TEXT@ NOT NULL,
  description @TEXT@,
  created_at @TIME@ NOT NULL,
  updated_at @TIME@ NOT NULL,
  UNIQUE (organization_id, name)
) @STRICT@;

CREATE TABLE team_members (
  team_id @ID@ NOT NULL REFERENCES teams(id) ON DELETE CASCADE,
  user_id @ID@ NOT NULL REFERENCES users(id) ON DELETE CASCADE,
  created_at @TIME@ NOT NULL,
  PRIMARY KEY (team_id, user_id)
) @STRICT@;
CREATE INDEX team_members_user ON team_members (user_id, team_id);

CREATE TABLE agent_team_permissions ( -- as agent_permissions, to a team
  id @ID@ PRIMARY KEY,
  agent_id @ID@ NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  team_id @ID@ NOT NULL REFERENCES teams(id) ON DELETE CASCADE,
  permission_type @TEXT@ NOT NULL CHECK (permission_type IN ('read', 'write', 'execute', 'admin')),
  granted_by @ID@ REFERENCES users(id),
  granted_at @TIME@ NOT NULL,
  UNIQUE (agent_id, team_id, permission_type)
) @STRICT@;

-- Whom a grant, or the visibility `team`, shows an agent: users and teams. In the order of a list of agents, so
-- that a page of what somebody sees is read along indexes (store/access.h). Agents visible to the organization, and
-- one's own, are not here: agents has indexes for those.
CREATE TABLE agent_audience (
  audience_id @ID@ NOT NULL,
  agent_created_at @TIME@ NOT NULL,
  agent_id @ID@ NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  PRIMARY KEY (audience_id, agent_created_at, agent_id)
) @STRICT@;
CREATE INDEX agent_audience_agent ON agent_audience (agent_id, audience_id);
INSERT INTO agent_audience (audience_id, agent_created_at, agent_id)
  SELECT DISTINCT p.user_id, a.created_at, a.id FROM agent_permissions p JOIN agents a ON a.id = p.agent_id;
CREATE INDEX agents_shared ON agents (organization_id, created_at, id) WHERE visibility IN ('organization', 'public');
CREATE INDEX agents_own ON agents (organization_id, user_id, created_at, id);
CREATE INDEX agents_public ON agents (created_at, id) WHERE visibility = 'public';
CREATE INDEX agent_permissions_user ON agent_permissions (user_id, agent_id);
CREATE INDEX agent_team_permissions_team ON agent_team_permissions (team_id, agent_id);

-- Who changed what, and who was refused. Rows are inserted by the batch that makes the change; nothing updates or
-- deletes them, but that the sealer gives each, once, its position in the chain and its hash (service/audit.h). No
-- foreign keys: the log outlives what it speaks of. Values are text, byte for byte as hashed.
CREATE TABLE audit_log (
  id @ID@ PRIMARY KEY,
  at @TIME@ NOT NULL,
  organization_id @ID@,
  user_id @ID@,                  -- NULL: nobody that is known
  token_id @ID@,
  kind @TEXT@ NOT NULL CHECK (kind IN ('change', 'denied')),
  operation @TEXT@ NOT NULL,     -- operationId
  resource_type @TEXT@,
  resource_id @TEXT@,
  code @TEXT@,                   -- of the error, when denied
  message @TEXT@,
  before @TEXT@,                 -- JSON; of an edit only the members that changed
  after @TEXT@,
  address @TEXT@,
  user_agent @TEXT@,
  request_id @TEXT@,
  position @INT@ UNIQUE,         -- 1, 2, 3 … without gaps; NULL: not sealed yet
  hash @TEXT@
) @STRICT@;
CREATE INDEX audit_log_page ON audit_log (organization_id, id);
CREATE INDEX audit_log_resource ON audit_log (organization_id, resource_id, id) WHERE resource_id IS NOT NULL;
CREATE INDEX audit_log_unsealed ON audit_log (id) WHERE position IS NULL;
-- "POSITION:HASH" of the last sealed row.
INSERT INTO instance (key, value) VALUES ('audit.head', '0:');
