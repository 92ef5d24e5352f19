/* The handler table. */
#include "api/handler.h"

#include "base/cleanup.h"

const struct handler_row handler_table[] = {
    {"listAgents", handle_agent_list, HANDLER_INLINE},
    {"createAgent", handle_agent_create, HANDLER_POOL},
    {"validateAgent", handle_agent_validate, HANDLER_INLINE},
    {"getAgent", handle_agent_get, HANDLER_INLINE},
    {"updateAgent", handle_agent_update, HANDLER_POOL},
    {"deleteAgent", handle_agent_delete, HANDLER_POOL},
    {"listVersions", handle_version_list, HANDLER_INLINE},
    {"createVersion", handle_version_create, HANDLER_POOL},
    {"getVersion", handle_version_get, HANDLER_INLINE},
    {"publishVersion", handle_version_publish, HANDLER_POOL},
    {"executeAgent", handle_execute, HANDLER_ASYNC},
    {"listAgentExecutions", handle_execution_list_of_agent, HANDLER_INLINE},
    {"listExecutions", handle_execution_list, HANDLER_INLINE},
    {"getExecution", handle_execution_get, HANDLER_INLINE},
    {"listExecutionLogs", handle_execution_logs, HANDLER_INLINE},
    {"listExecutionAttempts", handle_execution_attempts, HANDLER_INLINE},
    {"cancelExecution", handle_execution_cancel, HANDLER_POOL},
    {"streamExecution", handle_execution_stream, HANDLER_POOL}, /* watching waits for the engine */
    {"listSkills", handle_skill_list, HANDLER_INLINE},
    {"uploadSkill", handle_skill_upload, HANDLER_POOL}, /* describing runs it in a sandbox */
    {"getSkill", handle_skill_get, HANDLER_INLINE},
    {"deleteSkill", handle_skill_delete, HANDLER_POOL},
    {"listSkillRevisions", handle_skill_revisions, HANDLER_INLINE},
    {"getSkillRevision", handle_skill_revision, HANDLER_INLINE},
    {"listPersonas", handle_persona_list, HANDLER_INLINE},
    {"createPersona", handle_persona_create, HANDLER_POOL},
    {"getPersona", handle_persona_get, HANDLER_INLINE},
    {"updatePersona", handle_persona_update, HANDLER_POOL},
    {"deletePersona", handle_persona_delete, HANDLER_POOL},
    {"listGrants", handle_grant_list, HANDLER_INLINE},
    {"createGrant", handle_grant_create, HANDLER_POOL},
    {"deleteGrant", handle_grant_delete, HANDLER_POOL},
    {"listTokens", handle_token_list, HANDLER_INLINE},
    {"createToken", handle_token_create, HANDLER_POOL},
    {"revokeToken", handle_token_revoke, HANDLER_POOL},
    {"getHealth", handle_health, HANDLER_INLINE},
    {"getReadiness", handle_readiness, HANDLER_INLINE},
    {"getOpenApi", handle_openapi, HANDLER_INLINE},
};
const size_t handler_table_len = countof(handler_table);
