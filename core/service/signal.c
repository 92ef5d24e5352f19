#include "service/signal.h"

#include <string.h>

#include "base/clock.h"
#include "schema/schema.h"
#include "service/execution-private.h"
#include "service/service-private.h"
#include "store/wait.h"

enum { NAME_MAX_BYTES = 128 };

bool signal_name_valid(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= NAME_MAX_BYTES &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

static int room_check(struct service *service, const char *execution, struct error *err)
{
    int64_t kept, most = config_int(service->config, "executions", NULL, "signals");
    if (store_signals_kept(service->storage, execution, &kept, err) < 0)
        return -1;
    if (kept < most)
        return 0;
    error_set(err, E_RESOURCE_EXHAUSTED,
              "execution %s keeps %ld signals that it has not waited for: [executions] signals",
              execution, (long)kept);
    error_detail(err, "setting", json_string("[executions] signals"));
    return -1;
}

/* Against the wait that is open. One that comes early is kept, if there is room, and checked when
 * its wait begins. */
static int payload_check(struct service *service, const char *execution, const char *name,
                         const json_t *payload, struct error *err)
{
    autofree char *text = NULL;
    int found = store_wait_schema(service->storage, execution, name, &text, err);
    if (found == 1)
        return room_check(service, execution, err);
    if (found < 0 || text == NULL)
        return found;
    jx_auto *document = jx_decode(text, strlen(text), "the wait's schema", err);
    struct schema *schema = document != NULL ? schema_compile(document, NULL, err) : NULL;
    if (schema == NULL)
        return -1;
    error_auto failure = ERROR_INIT;
    int valid = schema_validate(schema, payload, &failure);
    schema_unref(schema);
    if (valid == 0)
        return 0;
    failure.code = E_INVALID_INPUT;
    error_wrap(&failure, "the payload does not match the schema that signal '%s' waits with", name);
    return error_move(err, &failure);
}

static json_t *signal_json(const char *execution, const char *name, const char *id, int64_t at)
{
    char text[CLOCK_RFC3339_SIZE];
    return json_pack("{s:s, s:s, s:s, s:s}", "signalId", id, "executionId", execution, "name", name,
                     "createdAt", clock_format_rfc3339(at, text));
}

/* The key was used: 1 and the first answer, 0 when it was not, -1. */
static int signal_again(struct service *service, const char *execution, const char *name,
                        const char *key, const char *payload, json_t **signal_r, struct error *err)
{
    struct kept_signal first = {.payload = NULL};
    int found =
        key != NULL ? store_signal_by_key(service->storage, execution, name, key, &first, err) : 1;
    if (found != 0)
        return found < 0 ? -1 : 0;
    bool same = strcmp(first.payload, payload) == 0;
    if (same)
        *signal_r = signal_json(execution, name, first.id, first.created_at);
    free(first.payload);
    return same ? 1
                : error_set(err, E_IDEMPOTENCY_CONFLICT,
                            "signal '%s' was sent to execution %s with this Idempotency-Key and "
                            "another payload",
                            name, execution);
}

static int signal_store(struct service *service, const struct signal_row *row, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_INVALID_STATE, "the execution has ended: it waits for nothing any more"},
        {1, E_IDEMPOTENCY_CONFLICT, "two signals with one Idempotency-Key came at once"},
        {-1, E_NONE, NULL},
    };
    struct storage_batch *batch = storage_batch_new();
    store_signal_insert(batch, row);
    return service_commit(service, batch, conflicts, err);
}

int signal_send(struct service *service, const struct principal *who, const char *execution,
                const char *name, const json_t *body, const char *key, json_t **signal_r,
                struct error *err)
{
    struct execution_meta meta;
    if (!signal_name_valid(name))
        return error_set(err, E_INVALID_REQUEST,
                         "name: a signal's name has 1 to %d of a-z A-Z 0-9 . _ -", NAME_MAX_BYTES);
    if (service_engine(service, err) < 0 ||
        execution_find(service, who, execution, ACTION_EXECUTE, &meta, NULL, err) < 0)
        return -1;
    jx_auto *nothing = json_null();
    const json_t *given = json_object_get(body, "payload");
    const json_t *payload = given != NULL ? given : nothing;
    struct signal_row row = {.execution_id = execution,
                             .name = name,
                             .sent_by = who->user_id,
                             .key = key,
                             .created_at = clock_wall_us()};
    autofree char *text = jx_encode_sorted(payload, &row.payload_len);
    row.payload = text;
    uuid_make(row.id);
    int again = signal_again(service, execution, name, key, text, signal_r, err);
    if (again != 0)
        return again < 0 ? -1 : 0;
    if (execution_has_ended(meta.status))
        return execution_ended_error(execution, meta.status, err);
    if (payload_check(service, execution, name, payload, err) < 0)
        return -1;
    error_auto failure = ERROR_INIT;
    if (signal_store(service, &row, &failure) < 0) {
        if (failure.code == E_IDEMPOTENCY_CONFLICT)
            again = signal_again(service, execution, name, key, text, signal_r, err);
        return again > 0 ? 0 : again < 0 ? -1 : error_move(err, &failure);
    }
    service->ops->signalled(service->engine, execution);
    *signal_r = signal_json(execution, name, row.id, row.created_at);
    return 0;
}

int wait_list_of(struct service *service, const struct principal *who, const char *execution,
                 const struct list_query *query, json_t **page_r, struct error *err)
{
    struct execution_meta meta;
    if (execution_find(service, who, execution, ACTION_READ, &meta, NULL, err) < 0)
        return -1;
    const struct c9d_value scope[] = {list_text(meta.id)};
    return service_list(service, &store_execution_wait_list, query, scope, page_r, err);
}

int wait_list(struct service *service, const struct principal *who, const struct list_query *query,
              json_t **page_r, struct error *err)
{
    const struct c9d_value scope[] = SCOPE_OF(who);
    return service_list(service, &store_wait_list, query, scope, page_r, err);
}
