/* Idempotency-Key: what was answered under a key, for as long as [limits] idempotency_keys says. */
#include <string.h>

#include "base/clock.h"
#include "host/storage.h"
#include "service/idempotency.h"
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

void stored_answer_clear(struct stored_answer *answer)
{
    free(answer->location);
    free(answer->body);
    free(answer->added);
    *answer = (struct stored_answer){0};
}

int idempotency_get(struct service *service, const struct principal *who, const char *key,
                    const char *request_sha256, struct stored_answer *answer_r, struct error *err)
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
    *answer_r = (struct stored_answer){.status = (int)row.status,
                                       .location = move_ptr(&row.location),
                                       .body = move_ptr(&row.body),
                                       .added = move_ptr(&row.added)};
    return 1;
}

int idempotency_answer(struct service *service, const struct principal *who, const char *key,
                       const char *request_sha256, int status, const char *location,
                       const char *body, struct error *err)
{
    const struct idempotency_row row = {.request_sha256 = (char *)request_sha256,
                                        .location = (char *)location,
                                        .body = (char *)body,
                                        .status = status};
    int64_t now = clock_wall_us();
    struct storage_batch *batch = storage_batch_new();
    store_idempotency_answer(batch, who->organization_id, key, &row, now,
                             now - service->key_lifetime);
    return storage_commit(service->storage, batch, err);
}

int service_commit_made(struct service *service, const struct principal *who,
                        struct storage_batch *batch, int status, const char *location,
                        const struct conflict *conflicts, struct error *err)
{
    return service_commit_made_with(service, who, batch, status, location, NULL, conflicts, err);
}

int service_commit_made_with(struct service *service, const struct principal *who,
                             struct storage_batch *batch, int status, const char *location,
                             const json_t *added, const struct conflict *conflicts,
                             struct error *err)
{
    if (who->claim == NULL)
        return service_commit(service, batch, conflicts, err);
    autofree char *added_text = added != NULL ? jx_encode(added, NULL) : NULL;
    const struct idempotency_row row = {.request_sha256 = (char *)who->claim->request_sha256,
                                        .added = added_text,
                                        .location = (char *)location,
                                        .status = status};
    int64_t now = clock_wall_us();
    store_idempotency_insert(batch, who->organization_id, who->claim->key, &row, now,
                             now - service->key_lifetime);
    int64_t key_statement = (int64_t)storage_batch_count(batch) - 1;
    error_auto failure = ERROR_INIT;
    if (service_commit(service, batch, conflicts, &failure) == 0)
        return 0;
    if (failure.code == E_INVALID_STATE &&
        jx_int(failure.details, "statement", -1) == key_statement)
        return idempotency_busy(who->claim->key, err);
    return error_move(err, &failure);
}

int idempotency_busy(const char *key, struct error *err)
{
    return error_set(err, E_UNAVAILABLE,
                     "a request with the Idempotency-Key %s is just being handled; try again", key);
}
