/* One row an operation: which function answers it, and on which thread. */
#ifndef C9_API_HANDLER_H
#define C9_API_HANDLER_H

#include <stddef.h>

#include "base/error.h"

struct request;
struct reply;

enum handler_mode {
    HANDLER_INLINE, /* on the connection's own thread: what reads, and is quick */
    HANDLER_KEPT,   /* the same; and the answer follows from the target, from who asks and from the
                     * store, from no clock, header or running execution: kept.h */
    HANDLER_POOL,   /* on a thread of the pool, while the connection sleeps: what waits for a commit
                     */
    HANDLER_ASYNC /* on the connection's own thread, may park the connection and be called again */
};

/* Parses, calls one service function, fills the reply. 0: reply is filled; -1: err is. ASYNC only:
 * HANDLER_PARKED after waiter_park; request->again is called once the connection is awake. */
enum { HANDLER_PARKED = 1 };
typedef int handler_fn(struct request *request, struct reply *reply, struct error *err);

struct handler_row {
    const char *operation; /* operationId */
    handler_fn *fn;
    enum handler_mode mode;
};
extern const struct handler_row handler_table[];
extern const size_t handler_table_len;

handler_fn handle_agent_list, handle_agent_create, handle_agent_validate, handle_agent_get,
    handle_agent_update, handle_agent_replace, handle_agent_delete, handle_agent_deprecate,
    handle_agent_archive;
handler_fn handle_version_list, handle_version_create, handle_version_get, handle_version_update,
    handle_version_delete, handle_version_publish, handle_version_rollback,
    handle_version_deprecate, handle_version_archive, handle_version_compare;
handler_fn handle_alias_list, handle_alias_get, handle_alias_put, handle_alias_delete;
handler_fn handle_execute, handle_execution_list, handle_execution_list_of_agent,
    handle_execution_get, handle_execution_logs, handle_execution_attempts, handle_execution_cancel,
    handle_execution_stream;
handler_fn handle_execution_signal, handle_execution_waits, handle_wait_list,
    handle_execution_journal, handle_execution_replay, handle_execution_export,
    handle_execution_retry, handle_execution_fork, handle_agent_backtest;
handler_fn handle_webhook_list, handle_webhook_create, handle_webhook_get, handle_webhook_update,
    handle_webhook_delete, handle_webhook_rotate, handle_webhook_test, handle_delivery_list,
    handle_delivery_get, handle_delivery_attempts, handle_delivery_again;
handler_fn handle_dead_letter_list, handle_dead_letter_requeue;
handler_fn handle_batch_create, handle_batch_list, handle_batch_get, handle_batch_executions,
    handle_batch_cancel;
handler_fn handle_skill_list, handle_skill_upload, handle_skill_get, handle_skill_delete,
    handle_skill_revisions, handle_skill_revision;
handler_fn handle_persona_list, handle_persona_create, handle_persona_get, handle_persona_update,
    handle_persona_delete;
handler_fn handle_chain_list, handle_chain_create, handle_chain_validate, handle_chain_get,
    handle_chain_update, handle_chain_delete, handle_chain_executions, handle_chain_execution_get,
    handle_chain_optimize;
handler_fn handle_grant_list, handle_grant_create, handle_grant_get, handle_grant_delete;
handler_fn handle_schedule_list, handle_schedule_list_of_agent, handle_schedule_create,
    handle_schedule_get, handle_schedule_update, handle_schedule_delete, handle_schedule_pause,
    handle_schedule_resume, handle_schedule_run, handle_schedule_runs, handle_schedule_preview,
    handle_schedule_preview_of;
handler_fn handle_audit_list, handle_audit_verify;
handler_fn handle_token_list, handle_token_create, handle_token_get, handle_token_rotate,
    handle_token_revoke;
handler_fn handle_organization_list, handle_organization_create, handle_organization_get,
    handle_organization_update, handle_organization_delete;
handler_fn handle_me, handle_user_list, handle_user_create, handle_user_get, handle_user_update,
    handle_user_delete;
handler_fn handle_team_list, handle_team_create, handle_team_get, handle_team_update,
    handle_team_delete, handle_team_members, handle_team_member_add, handle_team_member_remove;
handler_fn handle_event_send, handle_event_test, handle_event_list, handle_event_get;
handler_fn handle_hook_list, handle_hook_list_of_agent, handle_hook_create, handle_hook_get,
    handle_hook_update, handle_hook_delete, handle_hook_rotate, handle_hook_deliver,
    handle_hook_delivery_list, handle_hook_delivery_get, handle_hook_redeliver;
handler_fn handle_usage_list;
handler_fn handle_health, handle_readiness, handle_openapi;

#endif
