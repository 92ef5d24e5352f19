#include "service/audit.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "host/storage.h"
#include "service/audit-private.h"
#include "service/service-private.h"

enum { VALUE_MAX = 64 * 1024, TEXT_MAX = 512 };

/* ---- what is kept of a value ---- */

static bool secret_name(const char *name)
{
    static const char *const words[] = {"secret",     "password",   "passwd",      "token",
                                        "apikey",     "api_key",    "api-key",     "authorization",
                                        "credential", "privatekey", "private_key", "cookie"};
    for (size_t i = 0; i < countof(words); i++)
        if (strcasestr(name, words[i]) != NULL)
            return true;
    return false;
}

static json_t *redacted(const json_t *value)
{
    if (json_is_array(value)) {
        json_t *copy = json_array();
        for (size_t i = 0; i < json_array_size(value); i++)
            json_array_append_new(copy, redacted(json_array_get(value, i)));
        return copy;
    }
    if (!json_is_object(value))
        return json_incref((json_t *)value);
    json_t *copy = json_object(), *member;
    const char *name;
    json_object_foreach ((json_t *)value, name, member)
        json_object_set_new(copy, name,
                            json_is_string(member) && secret_name(name) ? json_string("[redacted]")
                                                                        : redacted(member));
    return copy;
}

/* The members of `object` that `other` has not, or has otherwise; all without an other. */
static json_t *differing(const json_t *object, const json_t *other)
{
    json_t *rest = json_object(), *member;
    const char *name;
    json_object_foreach ((json_t *)object, name, member) {
        const json_t *there = json_object_get(other, name);
        if (there == NULL || !jx_equal(there, member))
            json_object_set(rest, name, member);
    }
    return rest;
}

/* As text, or what can be said of it when it is too long. NULL for NULL. */
static char *value_text(const json_t *value, const json_t *other)
{
    if (value == NULL)
        return NULL;
    jx_auto *rest = differing(value, other);
    jx_auto *kept = redacted(rest);
    size_t len;
    char *text = jx_encode_sorted(kept, &len);
    if (len <= VALUE_MAX)
        return text;
    char digest[SHA256_HEX_SIZE];
    hash_sha256_hex(text, len, digest);
    free(text);
    return xasprintf("{\"omittedBytes\":%zu,\"sha256\":\"%s\"}", len, digest);
}

/* ---- rows ---- */

static const char *or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

static struct audit_row row_of(const struct principal *who, const char *kind, const char *type,
                               const char *id)
{
    const struct origin *origin = who->origin;
    return (struct audit_row){.at = clock_wall_us(),
                              .organization_id = or_null(who->organization_id),
                              .user_id = or_null(who->user_id),
                              .token_id = or_null(who->token_id),
                              .kind = kind,
                              .operation = origin != NULL ? origin->operation : "internal",
                              .resource_type = type,
                              .resource_id = id,
                              .address = origin != NULL ? or_null(origin->address) : NULL,
                              .user_agent = origin != NULL ? or_null(origin->user_agent) : NULL,
                              .request_id = origin != NULL ? or_null(origin->request_id) : NULL};
}

void audit_change(struct service *service, struct storage_batch *batch, const struct principal *who,
                  const char *type, const char *id, const json_t *before, const json_t *after)
{
    struct audit_row row = row_of(who, "change", type, id);
    autofree char *before_text = value_text(before, after), *after_text = value_text(after, before);
    row.before = before_text;
    row.after = after_text;
    store_audit_insert(batch, &row);
    if (who->origin != NULL)
        who->origin->audited = true;
    auditor_wake(service->auditor);
}

void audit_unchanged(const struct principal *who)
{
    if (who->origin != NULL)
        who->origin->audited = true;
}

static void written(void *arg, struct error *err)
{
    (void)arg;
    if (err != NULL)
        log_error("audit.lost", "a row of the audit log was not written: %s", err->message);
}

static void submit(struct service *service, struct storage_batch *batch)
{
    storage_submit(service->storage, batch, written, NULL);
    auditor_wake(service->auditor);
}

void audit_note(struct service *service, const struct principal *who, const char *type,
                const char *id)
{
    const struct audit_row row = row_of(who, "change", type, id);
    struct storage_batch *batch = storage_batch_new();
    store_audit_insert(batch, &row);
    submit(service, batch);
}

void audit_denied(struct service *service, const struct principal *who, const char *type,
                  const char *id, const struct error *why)
{
    int64_t missed;
    if (!auditor_admits(service->auditor, &missed))
        return;
    struct audit_row row = row_of(who, "denied", type, id);
    autofree char *message = xasprintf("%.*s", TEXT_MAX, why->message);
    row.code = error_row(why->code)->name;
    row.message = message;
    struct storage_batch *batch = storage_batch_new();
    store_audit_insert(batch, &row);
    if (missed > 0) {
        autofree char *text = xasprintf("%lld denied attempts before this were not written: more "
                                        "than [audit] denied_per_minute",
                                        (long long)missed);
        const struct audit_row gap = {
            .at = row.at, .kind = "denied", .operation = "unwritten", .message = text};
        store_audit_insert(batch, &gap);
    }
    submit(service, batch);
}

/* ---- looking ---- */

int audit_list(struct service *service, const struct principal *who, const struct list_query *query,
               json_t **page_r, struct error *err)
{
    if (permission_admin(who, "read its audit log", err) < 0)
        return -1;
    const struct c9d_value scope[] = {list_text(who->organization_id)};
    return service_list(service, &store_audit_list, query, scope, page_r, err);
}

int audit_verify(struct service *service, const struct principal *who, const char *expect,
                 json_t **result_r, struct error *err)
{
    if (permission_admin(who, "read its audit log", err) < 0 ||
        auditor_seal(service->auditor, err) < 0)
        return -1;
    return audit_verify_storage(service->storage, expect, result_r, err);
}

/* ---- verifying ---- */

struct walk {
    int64_t position; /* of the row before */
    char hash[SHA256_HEX_SIZE];
    int64_t expected_position; /* 0: none */
    const char *expected_hash;
    int64_t rows; /* of this page */
    json_t *problems;
};

static void problem(struct walk *walk, int64_t position, const char *id, const char *message)
{
    if (json_array_size(walk->problems) < 100)
        json_array_append_new(walk->problems,
                              json_pack("{s:I, s:s*, s:s}", "position", (json_int_t)position, "id",
                                        id, "message", message));
}

static int walk_row(void *arg, const char *id, int64_t position, const char *hash,
                    const json_t *content)
{
    struct walk *walk = arg;
    char computed[SHA256_HEX_SIZE];
    walk->rows++;
    if (position != walk->position + 1)
        problem(walk, walk->position + 1, NULL, "rows were removed from here on");
    audit_hash(walk->hash, position, content, computed);
    if (strcmp(computed, hash) != 0 && position == walk->position + 1)
        problem(walk, position, id, "the row was altered, or the one before it");
    if (position == walk->expected_position && strcmp(hash, walk->expected_hash) != 0)
        problem(walk, position, id, "the chain was forged anew: another hash was expected here");
    walk->position = position;
    memcpy(walk->hash, hash, SHA256_HEX_SIZE); /* go on from what is there: one problem a place */
    return 0;
}

static int head_parse(const char *text, int64_t *position_r, const char **hash_r)
{
    char *end;
    long long position = strtoll(text, &end, 10);
    if (end == text || *end != ':' || position < 0)
        return -1;
    *position_r = position;
    *hash_r = end + 1;
    return 0;
}

static int count_unsealed(void *arg, const char *id, int64_t position, const char *hash,
                          const json_t *content)
{
    (void)id, (void)position, (void)hash, (void)content;
    ++*(int64_t *)arg;
    return 0;
}

int audit_verify_storage(struct storage *storage, const char *expect, json_t **result_r,
                         struct error *err)
{
    enum { PAGE = 500 };
    char head[AUDIT_HEAD_MAX], last[AUDIT_HEAD_MAX];
    jx_auto *problems = json_array();
    struct walk walk = {.problems = problems};
    int64_t unsealed = 0;
    if (expect != NULL && head_parse(expect, &walk.expected_position, &walk.expected_hash) < 0)
        return error_set(err, E_INVALID_REQUEST,
                         "expect: must be POSITION:HASH, as an earlier verification gave it");
    if (store_audit_head(storage, head, err) < 0)
        return -1;
    do {
        walk.rows = 0;
        if (store_audit_sealed(storage, walk.position, PAGE, walk_row, &walk, err) < 0)
            return -1;
    } while (walk.rows == PAGE);
    if (store_audit_unsealed(storage, INT64_MAX, count_unsealed, &unsealed, err) < 0)
        return -1;
    snprintf(last, sizeof(last), "%lld:%s", (long long)walk.position, walk.hash);
    /* Rows sealed while we walked are fine: the head we read must be no later than what we met. */
    int64_t noted = 0;
    const char *noted_hash = "";
    if (head_parse(head, &noted, &noted_hash) < 0 || noted > walk.position ||
        (noted == walk.position && strcmp(noted_hash, walk.hash) != 0))
        problem(&walk, walk.position + 1, NULL, "the end of the log was removed");
    if (walk.expected_position > walk.position)
        problem(&walk, walk.position + 1, NULL,
                "the expected row is not there: the end was removed");
    *result_r = json_pack("{s:b, s:I, s:I, s:s, s:O}", "valid", json_array_size(problems) == 0,
                          "entries", (json_int_t)walk.position, "unsealed", (json_int_t)unsealed,
                          "head", last, "problems", problems);
    return 0;
}
