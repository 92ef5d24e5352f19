/* Idempotency-Key: what was answered under a key, for as long as [limits] idempotency_keys says. */
#include <string.h>

#include "base/clock.h"
#include "host/storage.h"
#include "service/execution.h"
#include "service/service-private.h"
#include "store/idempotency.h"

enum { KEY_MAX = 255 };

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

int idempotency_get(struct service *service, const struct principal *who, const char *key,
                    const char *request_sha256, int *status_r, char **location_r, char **body_r,
                    struct error *err)
{
    cleanup(row_cleanup) struct idempotency_row row = {0};
    if (key_check(key, err) < 0)
        return -1;
    int found = store_idempotency_get(service->storage, who->organization_id, key,
                                      clock_wall_us() - service->key_lifetime, &row, err);
    if (found != 0)
        return found < 0 ? -1 : 0;
    if (strcmp(row.request_sha256, request_sha256) != 0)
        return error_set(err, E_IDEMPOTENCY_CONFLICT,
                         "Idempotency-Key %s was used with another request", key);
    *status_r = (int)row.status;
    *location_r = move_ptr(&row.location);
    *body_r = move_ptr(&row.body);
    return 1;
}

int idempotency_put(struct service *service, const struct principal *who, const char *key,
                    const char *request_sha256, int status, const char *location, const char *body,
                    struct error *err)
{
    const struct idempotency_row row = {.request_sha256 = (char *)request_sha256,
                                        .location = (char *)location,
                                        .body = (char *)body,
                                        .status = status};
    int64_t now = clock_wall_us();
    struct storage_batch *batch = storage_batch_new();
    store_idempotency_insert(batch, who->organization_id, key, &row, now,
                             now - service->key_lifetime);
    return storage_commit(service->storage, batch, err);
}
