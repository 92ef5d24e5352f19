/* Completion webhooks, their deliveries, and dead letters. Writing functions add to a batch;
 * reading functions block (not for the engine). */
#ifndef C9_STORE_WEBHOOK_H
#define C9_STORE_WEBHOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "store/list.h"

#define WEBHOOK_SECRET_SIZE 160 /* "whsec_" and base64, with NUL */

struct webhook_row {
    const char *id, *organization_id, *agent_id, *execution_id; /* the last two may be NULL */
    const char *url, *description /* or NULL */, *events /* JSON text */, *secret, *created_by;
    bool is_active;
    int64_t at;
};
/* Conflicts while the organization has max webhooks. */
void store_webhook_limit(struct storage_batch *batch, const char *organization_id, int64_t max);
void store_webhook_insert(struct storage_batch *batch, const struct webhook_row *row);
/* url, description, events, is_active; expects the revision. Being active again it is not failing.
 */
void store_webhook_update(struct storage_batch *batch, const struct webhook_row *row,
                          int64_t revision);
/* The present secret signs on until old_until. Expects one row. */
void store_webhook_rotate(struct storage_batch *batch, const char *id, const char *secret,
                          int64_t old_until, int64_t at);
/* Conflicts unless it is there with this revision (NULL: any). */
void store_webhook_delete(struct storage_batch *batch, const char *id, const int64_t *revision);

struct webhook_meta {
    char id[UUID_SIZE], organization_id[UUID_SIZE], agent_id[UUID_SIZE]; /* agent_id "": all */
    int64_t revision;
};
/* Not those of single executions. *webhook_r NULL: it is not there. */
int store_webhook_get(struct storage *storage, const char *id, struct webhook_meta *meta_r,
                      json_t **webhook_r, struct error *err);
/* Scope: organization. */
extern const struct list store_webhook_list;
/* 1 when there is any, of whatever kind. */
int store_webhook_any(struct storage *storage, bool *any_r, struct error *err);

/* ---- deliveries ---- */

/* One for each webhook that the end of this execution is for. event: "execution.completed" … */
void store_webhook_deliver(struct storage_batch *batch, const char *execution_id, const char *event,
                           int64_t at);
/* The same for all executions that store_execution_cancel_idle is about to end. */
void store_webhook_deliver_idle(struct storage_batch *batch, const char *which, int64_t at);

/* Up to max that are due, at most per_webhook of one webhook at a time; leased until lease_until.
 * row gets the id of each, on the driver's thread. Leases that are over, or (all: of a former life)
 * any, are taken off first. */
void store_webhook_claim(struct storage_batch *batch, int64_t now, int64_t lease_until, int64_t max,
                         int64_t per_webhook, bool all, c9d_row_fn row, void *arg);
struct webhook_delivery {
    char id[2 * UUID_SIZE], webhook_id[UUID_SIZE], execution_id[UUID_SIZE];
    char *url, *event;
    char secret[WEBHOOK_SECRET_SIZE], old_secret[WEBHOOK_SECRET_SIZE]; /* old: "" when over */
    int64_t attempts, tries, failing_since, old_until;
    bool is_active;
};
/* 0 found, 1 not there. */
int store_webhook_delivery_load(struct storage *storage, const char *id,
                                struct webhook_delivery *delivery_r, struct error *err);
/* The same of no delivery: id, execution and event are empty. */
int store_webhook_target(struct storage *storage, const char *webhook_id,
                         struct webhook_delivery *delivery_r, struct error *err);
void webhook_delivery_free(struct webhook_delivery *delivery); /* what it owns; wipes secrets */
/* When something is due next; INT64_MAX: nothing is pending. */
int store_webhook_next(struct storage *storage, int64_t *at_r, struct error *err);

struct webhook_result {
    const char *status;     /* pending, delivered, dead */
    int64_t attempt, tries; /* of this one */
    int64_t at, took_ms;
    int response_status;          /* 0: none */
    const char *response, *error; /* or NULL */
    int64_t next_attempt_at;      /* of pending */
    int64_t failing_since;        /* of the webhook from now on; 0: it is not */
    const char *disabled_reason;  /* not NULL: the webhook is to be active no more */
};
/* The attempt's row, the delivery, the webhook, and, of a dead one, its dead letter. */
void store_webhook_settle(struct storage_batch *batch, const struct webhook_delivery *delivery,
                          const struct webhook_result *result);
/* To be delivered again from now on; expects one row that is not pending. */
void store_webhook_redeliver(struct storage_batch *batch, const char *delivery_id, int64_t at);

/* *delivery_r NULL: it is not there. */
int store_webhook_delivery_get(struct storage *storage, const char *id, struct webhook_meta *meta_r,
                               json_t **delivery_r, struct error *err);
/* Scope: organization. */
extern const struct list store_webhook_delivery_list;
/* Scope: delivery. */
extern const struct list store_webhook_attempt_list;

/* ---- dead letters ---- */

void store_dead_letter_insert(struct storage_batch *batch, const char *organization_id,
                              const char *agent_id, const char *execution_id, const char *reason,
                              int64_t at);
struct dead_letter_meta {
    char id[UUID_SIZE], organization_id[UUID_SIZE], agent_id[UUID_SIZE], execution_id[UUID_SIZE];
    char kind[16], delivery_id[2 * UUID_SIZE];
    bool requeued;
    char agent_owner[UUID_SIZE], agent_visibility[16], triggered_by[UUID_SIZE];
    unsigned grants; /* enum store_grant, of the user asked for */
};
/* letter_r may be NULL. meta_r->id "": it is not there. */
int store_dead_letter_get(struct storage *storage, const char *id, const char *user_id,
                          struct dead_letter_meta *meta_r, json_t **letter_r, struct error *err);
/* Once: expects one row that was not sent again. as: the new execution, or NULL. */
void store_dead_letter_requeued(struct storage_batch *batch, const char *id, const char *as,
                                int64_t at);
/* Scope: organization, user, 1 when he sees all of the organization. */
extern const struct list store_dead_letter_list;

#endif
