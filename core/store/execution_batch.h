/* Batches: executions of one agent that were asked for together. */
#ifndef C9_STORE_EXECUTION_BATCH_H
#define C9_STORE_EXECUTION_BATCH_H

#include "base/uuid.h"
#include "store/list.h"

struct execution_batch_row {
    const char *id, *organization_id, *agent_id, *agent_version, *created_by;
    int64_t total, created_at;
};
void store_execution_batch_insert(struct storage_batch *batch,
                                  const struct execution_batch_row *row);

struct execution_batch_meta {
    char id[UUID_SIZE], agent_id[UUID_SIZE], organization_id[UUID_SIZE]; /* id "": not there */
    char created_by[UUID_SIZE];
    /* Of its agent; grants are those of the user asked for. */
    char agent_owner[UUID_SIZE], agent_visibility[16];
    unsigned grants; /* enum store_grant */
};
/* batch_r may be NULL, and *batch_r is when it is not there. */
int store_execution_batch_get(struct storage *storage, const char *id, const char *user_id,
                              struct execution_batch_meta *meta_r, json_t **batch_r,
                              struct error *err);
/* Scope: organization, user, 1 when he sees all of the organization. */
extern const struct list store_execution_batch_list;
/* How many of its executions have which status, in an object by status. */
int store_execution_batch_counts(struct storage *storage, const char *id, json_t **counts_r,
                                 struct error *err);

/* All of its executions that have not ended are to stop; wakes those that sleep. */
void store_execution_batch_cancel_request(struct storage_batch *batch, const char *id, int64_t at);
/* Those that have not ended; valid during the call. */
int store_execution_batch_active(struct storage *storage, const char *id, c9d_row_fn row, void *arg,
                                 struct error *err);

#endif
