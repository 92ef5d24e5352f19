#include "store/retention.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/row.h"

/* ---- the place ---- */

static int place_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    struct retention_place *place = arg;
    const char *slash = strchr(v[0].u.s, '/');
    place->completed_at = strtoll(v[0].u.s, NULL, 10);
    snprintf(place->id, sizeof(place->id), "%s", slash != NULL ? slash + 1 : "");
    return 1;
}

int store_retention_place(struct storage *storage, const char *name,
                          struct retention_place *place_r, struct error *err)
{
    *place_r = (struct retention_place){.completed_at = 0};
    return storage_query(storage, "SELECT value FROM instance WHERE key = 'retention.' || $1",
                         place_row, place_r, err, "s", name);
}

void store_retention_keep(struct storage_batch *batch, const char *name,
                          const struct retention_place *place)
{
    char text[UUID_SIZE + 24];
    snprintf(text, sizeof(text), "%lld/%s", (long long)place->completed_at, place->id);
    storage_batch_add(batch,
                      "INSERT INTO instance (key, value) VALUES ('retention.' || $1, $2)"
                      " ON CONFLICT (key) DO UPDATE SET value = $2",
                      1, NULL, NULL, "ss", name, text);
}

struct ended_read {
    struct retention_place *places;
    int n;
};

static int ended_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    struct ended_read *read = arg;
    struct retention_place *place = &read->places[read->n++];
    row_text_into(&v[0], place->id, sizeof(place->id));
    place->completed_at = v[1].u.i;
    return 0;
}

int store_retention_ended(struct storage *storage, const struct retention_place *place,
                          int64_t before, int64_t max, struct retention_place *places_r,
                          struct error *err)
{
    struct ended_read read = {places_r, 0};
    if (storage_query(storage,
                      "SELECT id, completed_at FROM agent_executions"
                      " WHERE completed_at IS NOT NULL AND completed_at < $1"
                      " AND (completed_at, id) > ($2, $3) ORDER BY completed_at, id LIMIT $4",
                      ended_row, &read, err, "iisi", before, place->completed_at, place->id,
                      max) < 0)
        return -1;
    return read.n;
}

/* ---- removing ---- */

static int removed_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)v, (void)n;
    ((struct retention_count *)arg)->n++;
    return 0;
}

void store_retention_journal(struct storage_batch *batch, const char *id, int64_t max,
                             struct retention_count *count)
{
    storage_batch_add(batch,
                      "UPDATE agent_executions SET journal_removed = 1 WHERE id = $1"
                      " AND EXISTS (SELECT 1 FROM execution_journal WHERE execution_id = $1)",
                      -1, NULL, NULL, "s", id);
    storage_batch_add(batch, "DELETE FROM execution_asks WHERE execution_id = $1", -1, NULL, NULL,
                      "s", id);
    storage_batch_add(batch,
                      "DELETE FROM execution_journal WHERE execution_id = $1 AND seq IN"
                      " (SELECT seq FROM execution_journal WHERE execution_id = $1"
                      " ORDER BY seq LIMIT $2) RETURNING seq",
                      -1, removed_row, count, "si", id, max);
}

void store_retention_events(struct storage_batch *batch, const char *id, int64_t max,
                            struct retention_count *count)
{
    storage_batch_add(batch,
                      "DELETE FROM execution_events WHERE execution_id = $1 AND seq IN"
                      " (SELECT seq FROM execution_events WHERE execution_id = $1"
                      " ORDER BY seq LIMIT $2) RETURNING seq",
                      -1, removed_row, count, "si", id, max);
}

void store_retention_logs(struct storage_batch *batch, const char *id, int64_t max,
                          struct retention_count *count)
{
    storage_batch_add(batch,
                      "DELETE FROM execution_logs WHERE execution_id = $1 AND seq IN"
                      " (SELECT seq FROM execution_logs WHERE execution_id = $1"
                      " ORDER BY seq LIMIT $2) RETURNING seq",
                      -1, removed_row, count, "si", id, max);
}

void store_retention_execution(struct storage_batch *batch, const char *id)
{
    storage_batch_add(batch,
                      "DELETE FROM agent_executions WHERE id = $1 AND completed_at IS NOT NULL", -1,
                      NULL, NULL, "s", id);
}
