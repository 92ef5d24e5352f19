/* Idempotency-Key: a key is reserved before the request is done, so that of two at the same time one
 * does it and the other is told. */
#include <string.h>

#include "base/clock.h"
#include "host/storage.h"
#include "service/execution.h"
#include "service/service-private.h"
#include "store/idempotency.h"

enum { KEY_MAX = 255 };
#define ABANDONED (3600 * CLOCK_SECOND) /* a reservation whose request never got an answer */

static void row_cleanup(struct idempotency_row *row)
{
    idempotency_row_free(row);
}

static int key_check(const char *key, struct error *err)
{
    size_t len = strlen(key);
    bool printable = len > 0;
    for (const char *c = key; *c != '\0'; c++)
        printable = printable && *c > 0x20 && *c < 0x7f;
    if (printable && len <= KEY_MAX)
        return 0;
    return error_set(err, E_INVALID_REQUEST,
                     "Idempotency-Key: must be 1 to %d visible ASCII characters", KEY_MAX);
}

/* 0 reserved, 1 taken, -1 error. */
static int reserve(struct service *service, const struct principal *who, const char *key,
                   const char *request_sha256, struct error *err)
{
    int64_t now = clock_wall_us();
    struct storage_batch *batch = storage_batch_new();
    store_idempotency_reserve(batch, who->organization_id, key, request_sha256, now,
                              now - service->key_lifetime);
    error_auto failure = ERROR_INIT;
    if (storage_commit(service->storage, batch, &failure) == 0)
        return 0;
    return failure.code == E_INVALID_STATE ? 1 : error_move(err, &failure);
}

static int release(struct service *service, const struct principal *who, const char *key,
                   int64_t before, struct error *err)
{
    struct storage_batch *batch = storage_batch_new();
    store_idempotency_release(batch, who->organization_id, key, before);
    return storage_commit(service->storage, batch, err);
}

static int seen(struct idempotency_row *row, const char *key, const char *request_sha256,
                int *status_r, char **location_r, char **body_r, struct error *err)
{
    if (strcmp(row->request_sha256, request_sha256) != 0)
        return error_set(err, E_IDEMPOTENCY_CONFLICT, "Idempotency-Key %s was used with another request",
                         key);
    if (row->status == 0)
        return error_set(err, E_INVALID_STATE,
                         "the first request with Idempotency-Key %s is not done yet; try again later",
                         key);
    *status_r = (int)row->status;
    *location_r = move_ptr(&row->location);
    *body_r = move_ptr(&row->body);
    return 1;
}

int idempotency_get(struct service *service, const struct principal *who, const char *key,
                    const char *request_sha256, int *status_r, char **location_r, char **body_r,
                    struct error *err)
{
    if (key_check(key, err) < 0)
        return -1;
    /* Twice: the one who has it may give it up between the two looks. */
    for (int i = 0; i < 2; i++) {
        int taken = reserve(service, who, key, request_sha256, err);
        if (taken <= 0)
            return taken;
        cleanup(row_cleanup) struct idempotency_row row;
        int found = store_idempotency_get(service->storage, who->organization_id, key, &row, err);
        if (found < 0)
            return -1;
        int64_t abandoned = clock_wall_us() - ABANDONED;
        bool stale = found == 0 && row.status == 0 && row.created_at < abandoned;
        if (found == 0 && !stale)
            return seen(&row, key, request_sha256, status_r, location_r, body_r, err);
        if (stale && release(service, who, key, abandoned, err) < 0)
            return -1;
    }
    return error_set(err, E_UNAVAILABLE, "Idempotency-Key %s is being used by others; try again", key);
}

int idempotency_put(struct service *service, const struct principal *who, const char *key,
                    const char *request_sha256, int status, const char *location, const char *body,
                    struct error *err)
{
    struct storage_batch *batch = storage_batch_new();
    store_idempotency_answer(batch, who->organization_id, key, request_sha256, status, location,
                             body);
    return storage_commit(service->storage, batch, err);
}

int idempotency_drop(struct service *service, const struct principal *who, const char *key,
                     struct error *err)
{
    return release(service, who, key, INT64_MAX, err);
}
