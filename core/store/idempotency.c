#include "store/idempotency.h"

#include "store/row.h"

void store_idempotency_reserve(struct storage_batch *batch, const char *organization_id,
                               const char *key, const char *request_sha256, int64_t at,
                               int64_t expired)
{
    storage_batch_add(batch, "DELETE FROM idempotency_keys WHERE created_at < $1", -1, NULL, NULL,
                      "i", expired);
    storage_batch_add(batch,
                      "INSERT INTO idempotency_keys (organization_id, key, request_sha256, status,"
                      " created_at) VALUES ($1, $2, $3, 0, $4)",
                      1, NULL, NULL, "sssi", organization_id, key, request_sha256, at);
}

void store_idempotency_answer(struct storage_batch *batch, const char *organization_id,
                              const char *key, const char *request_sha256, int64_t status,
                              const char *location, const char *body)
{
    storage_batch_add(batch,
                      "UPDATE idempotency_keys SET status = $4, location = $5, body = $6"
                      " WHERE organization_id = $1 AND key = $2 AND request_sha256 = $3",
                      -1, NULL, NULL, "sssiss", organization_id, key, request_sha256, status,
                      location, body);
}

void store_idempotency_release(struct storage_batch *batch, const char *organization_id,
                               const char *key, int64_t before)
{
    storage_batch_add(batch,
                      "DELETE FROM idempotency_keys WHERE organization_id = $1 AND key = $2"
                      " AND status = 0 AND created_at < $3",
                      -1, NULL, NULL, "ssi", organization_id, key, before);
}

void idempotency_row_free(struct idempotency_row *row)
{
    free(row->request_sha256);
    free(row->location);
    free(row->body);
    *row = (struct idempotency_row){0};
}

static int key_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    struct idempotency_row *row = arg;
    row->request_sha256 = row_text(&v[0]);
    row->status = v[1].u.i;
    row->location = row_text(&v[2]);
    row->body = row_text(&v[3]);
    row->created_at = v[4].u.i;
    return 1;
}

int store_idempotency_get(struct storage *storage, const char *organization_id, const char *key,
                          struct idempotency_row *row_r, struct error *err)
{
    *row_r = (struct idempotency_row){0};
    if (storage_query(storage,
                      "SELECT request_sha256, status, location, body, created_at"
                      " FROM idempotency_keys WHERE organization_id = $1 AND key = $2",
                      key_row, row_r, err, "ss", organization_id, key) < 0) {
        idempotency_row_free(row_r);
        return -1;
    }
    return row_r->request_sha256 != NULL ? 0 : 1;
}
