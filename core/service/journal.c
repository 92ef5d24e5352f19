#include "service/journal.h"

#include <string.h>

#include "service/journal-private.h"
#include "store/execution.h"
#include "store/journal.h"

int journal_list(struct service *service, const struct principal *who, const char *execution,
                 const struct list_query *query, json_t **page_r, struct error *err)
{
    struct execution_meta meta;
    if (execution_find(service, who, execution, ACTION_READ, &meta, NULL, err) < 0)
        return -1;
    const struct c9d_value scope[] = {list_text(meta.id)};
    return service_list(service, &store_journal_list, query, scope, page_r, err);
}

/* ---- copies ---- */

static void entry_clear(struct journal_entry *e)
{
    free(e->kind);
    free(e->sha256);
    free(e->request);
    free(e->answer);
}

void journal_copy_clear(struct journal_copy *copy)
{
    for (size_t i = 0; i < copy->n; i++)
        entry_clear(&copy->entries[i]);
    free(copy->entries);
    *copy = (struct journal_copy){NULL, 0};
}

void journal_copy_remove(struct journal_copy *copy, size_t i)
{
    entry_clear(&copy->entries[i]);
    memmove(&copy->entries[i], &copy->entries[i + 1], (copy->n - i - 1) * sizeof(copy->entries[0]));
    copy->n--;
}

/* A new empty entry at the end; valid until the next is added. */
static struct journal_entry *journal_copy_add(struct journal_copy *copy)
{
    if ((copy->n & (copy->n - 1)) == 0) /* a power of two, or nothing: full */
        copy->entries =
            xrealloc(copy->entries, (copy->n > 0 ? 2 * copy->n : 1) * sizeof(copy->entries[0]));
    struct journal_entry *e = &copy->entries[copy->n++];
    *e = (struct journal_entry){.seq = 0};
    return e;
}

static void copy_row(void *arg, const struct journal_row *row)
{
    struct journal_entry *e = journal_copy_add(arg);
    *e = (struct journal_entry){
        .seq = row->seq,
        .kind = xstrdup(row->kind),
        .sha256 = xstrdup(row->request_sha256),
        .request = row->request != NULL ? xstrndup(row->request, row->request_len) : NULL,
        .request_len = row->request_len,
        .answer = xstrndup(row->answer, row->answer_len),
        .answer_len = row->answer_len,
        .failed = row->is_error,
        .api_calls = row->api_calls,
        .tokens = row->tokens,
        .cost_microcents = row->cost_microcents,
        .asked_at = row->asked_at,
        .answered_at = row->answered_at};
}

int journal_copy_load(struct service *service, const struct execution_meta *meta,
                      const json_t *execution, struct journal_copy *copy_r, struct error *err)
{
    if (jx_bool(execution, "journalRemoved", false))
        return error_set(err, E_INVALID_STATE,
                         "the journal of execution %s was removed: [retention] journals", meta->id);
    return store_journal_read(service->storage, meta->id, copy_row, copy_r, err);
}

json_t *journal_copy_to_json(const struct journal_copy *copy)
{
    json_t *list = json_array();
    for (size_t i = 0; i < copy->n; i++) {
        const struct journal_entry *e = &copy->entries[i];
        json_array_append_new(
            list, json_pack("{s:I, s:s, s:s, s:s%, s:b, s:I, s:I, s:I}", "seq", (json_int_t)e->seq,
                            "kind", e->kind, "requestSha256", e->sha256, "answer", e->answer,
                            e->answer_len, "failed", e->failed, "apiCallsCount",
                            (json_int_t)e->api_calls, "tokensConsumed", (json_int_t)e->tokens,
                            "costMicrocents", (json_int_t)e->cost_microcents));
        if (e->request != NULL)
            json_object_set_new(json_array_get(list, i), "request",
                                json_stringn(e->request, e->request_len));
    }
    return list;
}

/* Texts inside of JSON, as they were sent: their digests are of the bytes. */
int journal_copy_from_json(const json_t *list, struct journal_copy *copy_r, struct error *err)
{
    size_t i;
    json_t *item;
    json_array_foreach ((json_t *)list, i, item) {
        const char *kind = jx_str(item, "kind", NULL),
                   *sha256 = jx_str(item, "requestSha256", NULL);
        const json_t *answer = json_object_get(item, "answer"),
                     *request = json_object_get(item, "request");
        if (kind == NULL || sha256 == NULL || !json_is_string(answer) ||
            !json_is_integer(json_object_get(item, "seq")))
            return error_set(err, E_INVALID_REQUEST,
                             "journal[%zu]: seq, kind, requestSha256 or answer lacks", i);
        struct journal_entry *e = journal_copy_add(copy_r);
        *e = (struct journal_entry){
            .seq = jx_int(item, "seq", 0),
            .kind = xstrdup(kind),
            .sha256 = xstrdup(sha256),
            .answer = xstrndup(json_string_value(answer), json_string_length(answer)),
            .answer_len = json_string_length(answer),
            .failed = jx_bool(item, "failed", false),
            .api_calls = jx_int(item, "apiCallsCount", 0),
            .tokens = jx_int(item, "tokensConsumed", 0),
            .cost_microcents = jx_int(item, "costMicrocents", 0)};
        if (json_is_string(request)) {
            e->request = xstrndup(json_string_value(request), json_string_length(request));
            e->request_len = json_string_length(request);
        }
    }
    return 0;
}
