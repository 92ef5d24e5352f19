/* Events, what they started, and what agents wait for. */
#ifndef C9_STORE_EVENT_H
#define C9_STORE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/uuid.h"
#include "store/list.h"

struct event_row {
    char id[UUID_SIZE];
    const char *organization_id, *user_id;
    const char *endpoint_id;                        /* the webhook endpoint that took it, or NULL */
    const char *source, *event_id, *type, *subject; /* subject may be NULL */
    const char *event;                              /* JSON text: the CloudEvent */
    char key[SHA256_HEX_SIZE];                      /* of source and id */
    int64_t at;
};
/* Two statements, of which the second conflicts when there is an event of this key from `since` or
 * later. */
void store_event_insert(struct storage_batch *batch, const struct event_row *row, int64_t since);
/* Events from before a time. */
void store_event_forget(struct storage_batch *batch, const char *organization_id, int64_t before);

struct event_match_row {
    const char *event_id, *agent_id, *outcome;      /* started, failed */
    const char *execution_id, *reason, *error_code; /* each may be NULL */
};
void store_event_match_insert(struct storage_batch *batch, const struct event_match_row *row);

/* The id of the event of this key from `since` or later; "": there is none. */
int store_event_find(struct storage *storage, const char *organization_id, const char *key,
                     int64_t since, char id_r[UUID_SIZE], struct error *err);
/* With the event itself, and "matches": an array. *event_r is NULL when it is not there. */
int store_event_get(struct storage *storage, const char *organization_id, const char *id,
                    json_t **event_r, struct error *err);
/* Scope: organization. */
extern const struct list store_event_list;

/* ---- what agents wait for ---- */

/* events: JSON text, see service/event_trigger.h. In place of what it was. */
void store_event_trigger_put(struct storage_batch *batch, const char *agent_id,
                             const char *organization_id, const char *user_id, const char *events,
                             int64_t at);
void store_event_trigger_drop(struct storage_batch *batch, const char *agent_id);
/* For each agent of the organization that waits for events; texts are valid during the call. */
int store_event_trigger_each(struct storage *storage, const char *organization_id,
                             void (*fn)(void *arg, const char *agent_id, const char *agent_name,
                                        const char *user_id, const char *events, size_t len),
                             void *arg, struct error *err);

#endif
