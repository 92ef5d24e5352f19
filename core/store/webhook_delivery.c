/* Deliveries as their sender does them: made with the end of an execution, claimed, settled. */
#include <string.h>

#include "store/execution.h"
#include "store/row.h"
#include "store/webhook.h"

/* The id of a delivery follows from what it is for: it is made once. */
#define DELIVER_INTO                                                                               \
    "INSERT INTO webhook_deliveries (id, webhook_id, organization_id, execution_id, event,"        \
    " next_attempt_at, created_at)"                                                                \
    " SELECT e.id || '_' || w.id, w.id, w.organization_id, e.id, $2, $3, $3"                       \
    " FROM agent_executions e JOIN webhooks w ON "
#define WANTED " AND w.is_active = 1 AND w.events LIKE '%\"' || $2 || '\"%'"
#define OF_ALL                                                                                     \
    "w.organization_id = e.organization_id AND w.execution_id IS NULL"                             \
    " AND (w.agent_id IS NULL OR w.agent_id = e.agent_id)" WANTED
#define OF_ONE "w.execution_id = e.id" WANTED

void store_webhook_deliver(struct storage_batch *batch, const char *execution_id, const char *event,
                           int64_t at)
{
    storage_batch_add(batch, DELIVER_INTO OF_ALL " WHERE e.id = $1", -1, NULL, NULL, "ssi",
                      execution_id, event, at);
    storage_batch_add(batch, DELIVER_INTO OF_ONE " WHERE e.id = $1", -1, NULL, NULL, "ssi",
                      execution_id, event, at);
}

void store_webhook_deliver_idle(struct storage_batch *batch, const char *which, int64_t at)
{
    storage_batch_add(batch, DELIVER_INTO OF_ALL " WHERE " STORE_IDLE("e."), -1, NULL, NULL, "ssi",
                      which, "execution.cancelled", at);
    storage_batch_add(batch, DELIVER_INTO OF_ONE " WHERE " STORE_IDLE("e."), -1, NULL, NULL, "ssi",
                      which, "execution.cancelled", at);
}

void store_webhook_claim(struct storage_batch *batch, int64_t now, int64_t lease_until, int64_t max,
                         int64_t per_webhook, bool all, c9d_row_fn row, void *arg)
{
    storage_batch_add(batch,
                      "UPDATE webhook_deliveries SET lease_until = NULL"
                      " WHERE status = 'pending' AND lease_until IS NOT NULL AND lease_until < $1",
                      -1, NULL, NULL, "i", all ? INT64_MAX : now);
    storage_batch_add(
        batch,
        "UPDATE webhook_deliveries SET lease_until = $2 WHERE id IN (SELECT f.id FROM"
        " (SELECT d.id, d.webhook_id, row_number() OVER"
        " (PARTITION BY d.webhook_id ORDER BY d.next_attempt_at, d.id) AS n FROM"
        " (SELECT id, webhook_id, next_attempt_at FROM webhook_deliveries WHERE status = 'pending'"
        " AND lease_until IS NULL AND next_attempt_at <= $1 ORDER BY next_attempt_at LIMIT 1000)"
        " d) f WHERE f.n <= $4 - (SELECT count(*) FROM webhook_deliveries l"
        " WHERE l.webhook_id = f.webhook_id AND l.status = 'pending' AND l.lease_until IS NOT NULL)"
        " ORDER BY f.n LIMIT $3) RETURNING id",
        -1, row, arg, "iiii", now, lease_until, max, per_webhook);
}

static int load_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    struct webhook_delivery *d = arg;
    row_text_into(&v[0], d->id, sizeof(d->id));
    row_text_into(&v[1], d->webhook_id, sizeof(d->webhook_id));
    row_text_into(&v[2], d->execution_id, sizeof(d->execution_id));
    d->url = row_text(&v[3]);
    d->event = row_text(&v[4]);
    row_text_into(&v[5], d->secret, sizeof(d->secret));
    row_text_into(&v[6], d->old_secret, sizeof(d->old_secret));
    d->old_until = v[7].type == C9D_INT ? v[7].u.i : 0;
    d->attempts = v[8].u.i;
    d->tries = v[9].u.i;
    d->failing_since = v[10].type == C9D_INT ? v[10].u.i : 0;
    d->is_active = v[11].u.i != 0;
    return 1;
}

int store_webhook_delivery_load(struct storage *storage, const char *id,
                                struct webhook_delivery *delivery_r, struct error *err)
{
    *delivery_r = (struct webhook_delivery){.url = NULL};
    if (storage_query(storage,
                      "SELECT d.id, d.webhook_id, d.execution_id, w.url, d.event, w.secret,"
                      " w.old_secret, w.old_until, d.attempts, d.tries, w.failing_since,"
                      " w.is_active FROM webhook_deliveries d JOIN webhooks w"
                      " ON w.id = d.webhook_id WHERE d.id = $1",
                      load_row, delivery_r, err, "s", id) < 0)
        return -1;
    return delivery_r->url != NULL ? 0 : 1;
}

int store_webhook_target(struct storage *storage, const char *webhook_id,
                         struct webhook_delivery *delivery_r, struct error *err)
{
    *delivery_r = (struct webhook_delivery){.url = NULL};
    if (storage_query(storage,
                      "SELECT '', w.id, '', w.url, '', w.secret, w.old_secret, w.old_until, 0, 0,"
                      " w.failing_since, w.is_active FROM webhooks w WHERE w.id = $1",
                      load_row, delivery_r, err, "s", webhook_id) < 0)
        return -1;
    return delivery_r->url != NULL ? 0 : 1;
}

void webhook_delivery_free(struct webhook_delivery *delivery)
{
    free(delivery->url);
    free(delivery->event);
    explicit_bzero(delivery->secret, sizeof(delivery->secret));
    explicit_bzero(delivery->old_secret, sizeof(delivery->old_secret));
}

static int next_row(void *arg, const struct c9d_value *v, size_t n)
{
    int64_t *at = arg;
    for (size_t i = 0; i < n; i++)
        if (v[i].type == C9D_INT && v[i].u.i < *at)
            *at = v[i].u.i;
    return 1;
}

int store_webhook_next(struct storage *storage, int64_t *at_r, struct error *err)
{
    *at_r = INT64_MAX;
    return storage_query(storage,
                         "SELECT (SELECT MIN(next_attempt_at) FROM webhook_deliveries"
                         " WHERE status = 'pending' AND lease_until IS NULL),"
                         " (SELECT MIN(lease_until) FROM webhook_deliveries"
                         " WHERE status = 'pending' AND lease_until IS NOT NULL)",
                         next_row, at_r, err, "");
}

static void settle_webhook(struct storage_batch *batch, const char *id,
                           const struct webhook_result *r)
{
    storage_batch_add(
        batch,
        "UPDATE webhooks SET failing_since = $2, disabled_reason = COALESCE($3, disabled_reason),"
        " is_active = CASE WHEN $3 IS NULL THEN is_active ELSE 0 END WHERE id = $1",
        -1, NULL, NULL, "sIs", id, r->failing_since != 0 ? &r->failing_since : NULL,
        r->disabled_reason);
}

static void settle_dead(struct storage_batch *batch, const char *delivery_id,
                        const struct webhook_result *r)
{
    char id[UUID_SIZE];
    storage_batch_add(batch,
                      "INSERT INTO dead_letters (id, kind, organization_id, agent_id, execution_id,"
                      " delivery_id, reason, created_at) SELECT $1, 'webhook', e.organization_id,"
                      " e.agent_id, e.id, d.id, $3, $4 FROM webhook_deliveries d"
                      " JOIN agent_executions e ON e.id = d.execution_id WHERE d.id = $2",
                      -1, NULL, NULL, "sssi", uuid_make(id), delivery_id,
                      r->error != NULL ? r->error : "it was not taken", r->at);
}

void store_webhook_settle(struct storage_batch *batch, const struct webhook_delivery *delivery,
                          const struct webhook_result *r)
{
    bool delivered = strcmp(r->status, "delivered") == 0;
    int64_t status = r->response_status;
    const int64_t *response_status = status != 0 ? &status : NULL;
    storage_batch_add(batch,
                      "UPDATE webhook_deliveries SET status = $2, attempts = $3, tries = $4,"
                      " next_attempt_at = $5, lease_until = NULL, response_status = $6,"
                      " error = $7, delivered_at = $8 WHERE id = $1",
                      -1, NULL, NULL, "ssiiiIsI", delivery->id, r->status, r->attempt, r->tries,
                      r->next_attempt_at, response_status, r->error, delivered ? &r->at : NULL);
    storage_batch_add(batch,
                      "INSERT INTO webhook_attempts (delivery_id, attempt, attempted_at, took_ms,"
                      " response_status, response, error) SELECT d.id, $2, $3, $4, $5, $6, $7"
                      " FROM webhook_deliveries d WHERE d.id = $1",
                      -1, NULL, NULL, "siiiIss", delivery->id, r->attempt, r->at, r->took_ms,
                      response_status, r->response, r->error);
    if (r->failing_since != delivery->failing_since || r->disabled_reason != NULL)
        settle_webhook(batch, delivery->webhook_id, r);
    if (strcmp(r->status, "dead") == 0)
        settle_dead(batch, delivery->id, r);
}

void store_webhook_redeliver(struct storage_batch *batch, const char *delivery_id, int64_t at)
{
    storage_batch_add(batch,
                      "UPDATE webhook_deliveries SET status = 'pending', tries = 0,"
                      " next_attempt_at = $2, lease_until = NULL, delivered_at = NULL"
                      " WHERE id = $1 AND status <> 'pending'",
                      1, NULL, NULL, "si", delivery_id, at);
}
