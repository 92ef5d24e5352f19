-- Migration 9. Chains run: each is executed as an agent of its id, of which each configuration is a version.

ALTER TABLE agents ADD COLUMN is_chain @BOOL@ NOT NULL DEFAULT 0; -- a row of agent_chains too; no agent to clients
CREATE INDEX agent_chains_page ON agent_chains (organization_id, id);

-- What executions asked for, also when it has ended.
DROP INDEX agent_executions_parent;
CREATE INDEX agent_executions_parent ON agent_executions (parent_id) WHERE parent_id IS NOT NULL;

-- An execution of a chain is an execution, so that there is nothing to be kept the same. Its steps are what it told
-- of them: [{"value":{"chainStep":{"id","status",…}}}…]. Plain SQL: drivers may trust no other functions in views.
DROP TABLE chain_executions;
CREATE VIEW chain_executions AS
  SELECT e.id, e.agent_id AS chain_id, e.agent_version AS chain_version, e.input_data, e.output_data, e.status,
    e.started_at, e.completed_at,
    '[' || COALESCE((SELECT @JOIN@(v.data, ',') FROM (SELECT data FROM execution_events
      WHERE execution_id = e.id AND type = 'emit' ORDER BY seq) v), '') || ']' AS execution_steps,
    e.triggered_by, e.created_at
  FROM agent_executions e JOIN agent_chains c ON c.id = e.agent_id;
