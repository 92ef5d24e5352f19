/* Executions as people see them: one, lists of them, and their logs. */
#ifndef C9_STORE_EXECUTION_VIEW_H
#define C9_STORE_EXECUTION_VIEW_H

#include <stdint.h>

#include "base/uuid.h"
#include "store/list.h"

struct execution_meta {
    char id[UUID_SIZE], agent_id[UUID_SIZE], organization_id[UUID_SIZE]; /* id "": not there */
    char triggered_by[UUID_SIZE];
    char status[12];
    bool leased; /* by somebody, whether or not the lease still runs */
    /* Of its agent; grants are those of the user asked for. */
    char agent_owner[UUID_SIZE], agent_visibility[16];
    unsigned grants; /* enum store_grant */
};
/* One indexed SELECT. execution_r may be NULL, and *execution_r is when it is not there. */
int store_execution_get(struct storage *storage, const char *id, const char *user_id,
                        struct execution_meta *meta_r, json_t **execution_r, struct error *err);
/* Without input, output and error details. Scope: organization, user, 1 when he sees all of the
 * organization. */
extern const struct list store_execution_list;
/* As that, of one agent. Scope: agent, user whose executions alone are wanted ("": all). */
extern const struct list store_agent_execution_list;
/* As that, of one batch, by index. Scope: batch. */
extern const struct list store_batch_execution_list;
/* Scope: execution. */
extern const struct list store_execution_log_list;
extern const struct list store_execution_attempt_list;

#endif
