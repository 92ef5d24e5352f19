/* The schema's history, and the facts of this installation. */
#include "store/store.h"

#include <string.h>

static const char schema_1[] =
#include "generated/schema_1.inc"
    ;
static const char schema_2[] =
#include "generated/schema_2.inc"
    ;
static const char schema_3[] =
#include "generated/schema_3.inc"
    ;
static const char schema_4[] =
#include "generated/schema_4.inc"
    ;
static const char schema_5[] =
#include "generated/schema_5.inc"
    ;
static const char schema_6[] =
#include "generated/schema_6.inc"
    ;
static const char schema_7[] =
#include "generated/schema_7.inc"
    ;
static const char schema_8[] =
#include "generated/schema_8.inc"
    ;
static const char schema_9[] =
#include "generated/schema_9.inc"
    ;

static const struct c9d_migration migrations[] = {
    {1, schema_1}, {2, schema_2}, {3, schema_3}, {4, schema_4}, {5, schema_5},
    {6, schema_6}, {7, schema_7}, {8, schema_8}, {9, schema_9},
};

/* What every execution writes, and every event and delivery. */
static const char *const busy[] = {
    "agent_executions", "execution_events",   "execution_logs",       "execution_journal",
    "execution_asks",   "execution_waits",    "execution_signals",    "execution_attempts",
    "idempotency_keys", "webhook_deliveries", "agent_resource_usage", "events",
    "event_matches",    "hook_deliveries",
};

int store_migrate(struct storage *storage, struct error *err)
{
    storage_set_busy(storage, busy, countof(busy));
    return storage_migrate(storage, migrations, countof(migrations), err);
}

static int instance_row(void *arg, const struct c9d_value *columns, size_t n)
{
    (void)n;
    char **value_r = arg;
    *value_r = xstrndup(columns[0].u.s, columns[0].len);
    return 1;
}

char *store_instance_get(struct storage *storage, const char *key, struct error *err)
{
    char *value = NULL;
    if (storage_query(storage, "SELECT value FROM instance WHERE key = $1", instance_row, &value,
                      err, "s", key) < 0)
        return NULL;
    if (value == NULL)
        error_set(err, E_NOT_FOUND, "the database has no '%s' of this installation; run `c9d init`",
                  key);
    return value;
}

int store_instance_put(struct storage *storage, const char *key, const char *value,
                       struct error *err)
{
    struct storage_batch *batch = storage_batch_new();
    storage_batch_add(
        batch, "INSERT INTO instance (key, value) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING", -1,
        NULL, NULL, "ss", key, value);
    return storage_commit(storage, batch, err);
}
