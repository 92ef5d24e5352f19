-- Migration 3. Agents' versions: life cycle and aliases.

-- When and why it was deprecated, and until when it will run; NULL unless it is or was.
ALTER TABLE agents ADD COLUMN deprecated_at @TIME@;
ALTER TABLE agents ADD COLUMN sunset_at @TIME@;
ALTER TABLE agents ADD COLUMN deprecation_reason @TEXT@;

ALTER TABLE agent_versions ADD COLUMN status @TEXT@ NOT NULL DEFAULT 'draft'
  CHECK (status IN ('draft', 'published', 'deprecated', 'archived'));
ALTER TABLE agent_versions ADD COLUMN deprecated_at @TIME@;
ALTER TABLE agent_versions ADD COLUMN sunset_at @TIME@;
ALTER TABLE agent_versions ADD COLUMN deprecation_reason @TEXT@;
ALTER TABLE agent_versions ADD COLUMN revision @INT@ NOT NULL DEFAULT 1; -- counts edits; the ETag
UPDATE agent_versions SET status = 'published' WHERE published_at IS NOT NULL;

CREATE TABLE agent_aliases (     -- a name for versions, each with its share of the executions
  id @ID@ PRIMARY KEY,
  agent_id @ID@ NOT NULL REFERENCES agents(id) ON DELETE CASCADE,
  name @TEXT@ NOT NULL,
  targets @JSON@ NOT NULL,       -- [{"version","weight"}], the weights are percent
  revision @INT@ NOT NULL DEFAULT 1,
  created_at @TIME@ NOT NULL,
  updated_at @TIME@ NOT NULL,
  UNIQUE (agent_id, name)
) @STRICT@;

-- How the version came to be, unless it was plainly asked for: {"ref": what was asked (an alias, a
-- range), "test": true for drafts, "warnings": [{"code","message",…}]}.
ALTER TABLE agent_executions ADD COLUMN version_note @JSON@;
UPDATE agent_executions SET version_note = '{"test":true}' WHERE agent_version = 'draft';
