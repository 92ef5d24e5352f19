#include "store/idempotency.h"

#include "store/row.h"

static void forget_expired(struct storage_batch *batch, int64_t expired)
{
    storage_batch_add(batch, "DELETE FROM idempotency_keys WHERE created_at < $1", -1, NULL, NULL,
                      "i", expired);
}

void store_idempotency_insert(struct storage_batch *batch, const char *organization_id,
                              const char *key, const struct idempotency_row *row, int64_t at,
                              int64_t expired)
{
    forget_expired(batch, expired);
    storage_batch_add(batch,
                      "INSERT INTO idempotency_keys (organization_id, key, request_sha256, status,"
                      " location, body, created_at, added) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
                      " ON CONFLICT (organization_id, key) DO NOTHING",
                      1, NULL, NULL, "sssissis", organization_id, key, row->request_sha256,
                      row->status, row->location, row->body, at, row->added);
}

void store_idempotency_answer(struct storage_batch *batch, const char *organization_id,
                              const char *key, const struct idempotency_row *row, int64_t at,
                              int64_t expired)
{
    forget_expired(batch, expired);
    storage_batch_add(batch,
                      "INSERT INTO idempotency_keys (organization_id, key, request_sha256, status,"
                      " location, body, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)"
                      " ON CONFLICT (organization_id, key) DO UPDATE SET status = $4, body = $6"
                      " WHERE idempotency_keys.request_sha256 = $3"
                      " AND idempotency_keys.body IS NULL",
                      -1, NULL, NULL, "sssissi", organization_id, key, row->request_sha256,
                      row->status, row->location, row->body, at);
}

void idempotency_row_free(struct idempotency_row *row)
{
    free(row->request_sha256);
    free(row->location);
    free(row->body);
    free(row->added);
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
    row->added = row_text(&v[4]);
    return 1;
}

int store_idempotency_get(struct storage *storage, const char *organization_id, const char *key,
                          int64_t expired, struct idempotency_row *row_r, struct error *err)
{
    *row_r = (struct idempotency_row){0};
    if (storage_query(storage,
                      "SELECT request_sha256, status, location, body, added FROM idempotency_keys"
                      " WHERE organization_id = $1 AND key = $2 AND created_at >= $3",
                      key_row, row_r, err, "ssi", organization_id, key, expired) < 0) {
        idempotency_row_free(row_r);
        return -1;
    }
    return row_r->request_sha256 != NULL ? 0 : 1;
}
