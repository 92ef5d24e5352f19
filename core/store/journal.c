#include "store/journal.h"

#define JOURNAL_FIELDS(F)                                                                          \
    F("seq", "seq", INT)                                                                           \
    F("kind", "kind", TEXT)                                                                        \
    F("request_sha256", "requestSha256", TEXT)                                                     \
    F("request", "request", JSON)                                                                  \
    F("answer", "answer", JSON)                                                                    \
    F("is_error", "failed", BOOL)                                                                  \
    F("copied", "copied", BOOL)                                                                    \
    F("api_calls", "apiCallsCount", INT)                                                           \
    F("tokens", "tokensConsumed", INT)                                                             \
    F("cost_microcents", "costMicrocents", INT)                                                    \
    F("asked_at", "askedAt", TIME)                                                                 \
    F("answered_at", "answeredAt", TIME)
static const struct field fields[] = {JOURNAL_FIELDS(FIELD_ENTRY)};
static const struct list_sort sorts[] = {{"seq", "seq", SORT_INT}};
static const struct list_filter filters[] = {{"kind", FILTER_TEXT, NULL, "kind = ?"}};

const struct list store_journal_list = {
    .name = "journal",
    .columns = JOURNAL_FIELDS(FIELD_COLUMN),
    .from = " FROM execution_journal WHERE execution_id = $1",
    .n_scope = 1,
    .id = "seq",
    .default_sort = "seq",
    LIST_SORTS(sorts),
    LIST_FILTERS(filters),
    LIST_FIELDS(fields),
};

int store_journal_recorded(struct storage *storage, const char *agent_id, const char *version,
                           int64_t max, json_t *ids, struct error *err)
{
    return storage_query(storage,
                         "SELECT id FROM agent_executions WHERE agent_id = $1"
                         " AND agent_version = $2 AND status IN ('completed', 'failed')"
                         " AND journal_removed = 0 ORDER BY id DESC LIMIT $3",
                         row_texts_fn, ids, err, "ssi", agent_id, version, max);
}
