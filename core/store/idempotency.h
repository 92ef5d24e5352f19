/* Idempotency keys and the answers that were given under them. */
#ifndef C9_STORE_IDEMPOTENCY_H
#define C9_STORE_IDEMPOTENCY_H

#include <stdint.h>

#include "host/storage.h"

struct idempotency_row {
    char *request_sha256, *location, *body; /* owned; the last two may be NULL */
    char *added; /* owned, or NULL: JSON object, what the answer has beside what is at location */
    int64_t status; /* of the answer */
};
void idempotency_row_free(struct idempotency_row *row); /* what it owns */

/* Forgets the keys made before `expired`, then keeps this one; a conflict of the second statement
 * when it is there already. Two statements: for the batch that does the key's work. */
void store_idempotency_insert(struct storage_batch *batch, const char *organization_id,
                              const char *key, const struct idempotency_row *row, int64_t at,
                              int64_t expired);
/* The same sweep, then fills in the answer's body; keeps the key first, when the work's batch did
 * not. Of two answers the first one stays. */
void store_idempotency_answer(struct storage_batch *batch, const char *organization_id,
                              const char *key, const struct idempotency_row *row, int64_t at,
                              int64_t expired);
/* Only keys not made before `expired`. 0 found, 1 not there, -1 error. */
int store_idempotency_get(struct storage *storage, const char *organization_id, const char *key,
                          int64_t expired, struct idempotency_row *row_r, struct error *err);

#endif
