/* Webhook endpoints of agents, and which deliveries they have taken. */
#ifndef C9_STORE_HOOK_H
#define C9_STORE_HOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/uuid.h"
#include "store/list.h"

/* What a client decides. */
struct hook_columns {
    const char *name, *style, *delivers;
    const char *event_type, *version; /* may be NULL */
    int64_t tolerance_ms;
    bool active;
};
/* One statement: conflicts unless the agent has fewer endpoints than max. */
void store_hook_limit(struct storage_batch *batch, const char *agent_id, int64_t max);
void store_hook_insert(struct storage_batch *batch, const char *id, const char *agent_id,
                       const char *organization_id, const char *user_id,
                       const struct hook_columns *columns, const char *secret, int64_t now);
/* Counts the revision up; conflicts unless it has this one. So does the next. */
void store_hook_update(struct storage_batch *batch, const char *id, int64_t revision,
                       const struct hook_columns *columns, int64_t now);
/* The secret there was stays valid until `until`. */
void store_hook_rotate(struct storage_batch *batch, const char *id, int64_t revision,
                       const char *secret, int64_t until, int64_t now);
/* Conflicts unless it is there with this revision (NULL: any). */
void store_hook_delete(struct storage_batch *batch, const char *id, const int64_t *revision);

struct hook_meta {
    char id[UUID_SIZE], agent_id[UUID_SIZE], created_by[UUID_SIZE]; /* id "": not there */
    int64_t revision;
};
/* hook_r may be NULL, and *hook_r is when it is not there; never with its secret. */
int store_hook_get(struct storage *storage, const char *id, struct hook_meta *meta_r,
                   json_t **hook_r, struct error *err);
/* Scope: organization, user, 1 when he sees all of the organization. */
extern const struct list store_hook_list;
/* Scope: agent. */
extern const struct list store_agent_hook_list;

/* ---- deliveries ---- */

/* What taking one needs. Texts are owned by the struct. */
struct hook_target {
    char id[UUID_SIZE], agent_id[UUID_SIZE], organization_id[UUID_SIZE], user_id[UUID_SIZE];
    char style[12], delivers[12];
    char *event_type, *version, *secret, *previous_secret; /* all but secret may be NULL */
    int64_t previous_until, tolerance;                     /* µs */
    bool active;
};
/* 0 found, 1 not there, -1 error. */
int store_hook_target(struct storage *storage, const char *id, struct hook_target *target_r,
                      struct error *err);
void hook_target_free(struct hook_target *target); /* what it owns; secrets are wiped */

/* The execution of this delivery when it was taken at `since` or later; "": it was not. */
int store_hook_delivered(struct storage *storage, const char *endpoint_id, const char *key,
                         int64_t since, char execution_id_r[UUID_SIZE], struct error *err);
/* What became of one. The members of the other outcomes are NULL. */
struct hook_receipt {
    const char *id, *endpoint_id, *key;
    const char *outcome; /* started, event, refused */
    const char *execution_id, *event_id;
    const char *event_type; /* or NULL */
    const char *error_code, *reason, *payload /* or NULL */;
    const char *redelivery_of; /* or NULL */
    int64_t at;
};
/* Three statements: those from before `since` are forgotten, this one is remembered, in the place
 * of the same one when that was refused, and the endpoint's last delivery is `at`. The second
 * conflicts for an execution when it was taken already; other outcomes then change nothing. */
void store_hook_receive(struct storage_batch *batch, const struct hook_receipt *receipt,
                        int64_t since);
/* Scope: endpoint. */
extern const struct list store_hook_delivery_list;
/* With its payload, when it was refused. NULL when it is not there. */
int store_hook_delivery_get(struct storage *storage, const char *endpoint_id, const char *id,
                            json_t **delivery_r, struct error *err);

#endif
