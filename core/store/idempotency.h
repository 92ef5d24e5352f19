/* Idempotency keys: a key is reserved before the request is done, and gets its answer after. */
#ifndef C9_STORE_IDEMPOTENCY_H
#define C9_STORE_IDEMPOTENCY_H

#include <stdint.h>

#include "host/storage.h"

struct idempotency_row {
    char *request_sha256, *location, *body; /* owned; the last two may be NULL */
    int64_t status;                         /* 0: reserved, no answer yet */
    int64_t created_at;
};
void idempotency_row_free(struct idempotency_row *row); /* what it owns */

/* Drops keys older than `expired`, then reserves: two statements, of which the second conflicts when the
 * key is taken. */
void store_idempotency_reserve(struct storage_batch *batch, const char *organization_id,
                               const char *key, const char *request_sha256, int64_t at,
                               int64_t expired);
void store_idempotency_answer(struct storage_batch *batch, const char *organization_id,
                              const char *key, const char *request_sha256, int64_t status,
                              const char *location, const char *body);
/* Gives up a reservation that has no answer, when it was made before `before`. */
void store_idempotency_release(struct storage_batch *batch, const char *organization_id,
                               const char *key, int64_t before);
/* 0 found, 1 not there, -1 error. */
int store_idempotency_get(struct storage *storage, const char *organization_id, const char *key,
                          struct idempotency_row *row_r, struct error *err);

#endif
