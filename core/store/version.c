#include "store/version.h"

#define VERSION_FIELDS(F)                                                                          \
    F("id", "id", TEXT)                                                                            \
    F("agent_id", "agentId", TEXT)                                                                 \
    F("version", "version", TEXT)                                                                  \
    F("config", "config", JSON)                                                                    \
    F("changelog", "changelog", TEXT)                                                              \
    F("pins", "pins", JSON)                                                                        \
    F("published_at", "publishedAt", TIME)                                                         \
    F("created_by", "createdBy", TEXT)                                                             \
    F("is_current", "isCurrent", BOOL)                                                             \
    F("created_at", "createdAt", TIME)
static const struct field fields[] = {VERSION_FIELDS(FIELD_ENTRY)};

static const struct list_sort sorts[] = {{"createdAt", "id", SORT_TEXT}};

const struct list store_version_list = {
    .name = "versions",
    .columns = VERSION_FIELDS(FIELD_COLUMN),
    .from = " FROM agent_versions WHERE agent_id = $1",
    .n_scope = 1,
    .id = "id",
    .default_sort = "-createdAt",
    .sorts = sorts,
    .n_sorts = countof(sorts),
    .fields = fields,
    .n_fields = countof(fields),
};

void store_version_insert(struct storage_batch *batch, const struct version_row *row)
{
    storage_batch_add(batch,
                      "INSERT INTO agent_versions (id, agent_id, version, config, changelog,"
                      " created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                      1, NULL, NULL, "ssssssi", row->id, row->agent_id, row->version, row->config,
                      row->changelog, row->user_id, row->at);
}

void store_version_publish(struct storage_batch *batch, const char *agent_id, const char *version,
                           const char *pins, const char *changelog, int64_t at)
{
    storage_batch_add(batch,
                      "UPDATE agent_versions SET is_current = 0"
                      " WHERE agent_id = $1 AND is_current = 1",
                      -1, NULL, NULL, "s", agent_id);
    storage_batch_add(batch,
                      "UPDATE agent_versions SET is_current = 1, pins = $3, published_at = $4,"
                      " changelog = COALESCE($5, changelog)"
                      " WHERE agent_id = $1 AND version = $2 AND published_at IS NULL",
                      1, NULL, NULL, "sssis", agent_id, version, pins, at, changelog);
}

int store_version_get(struct storage *storage, const char *agent_id, const char *version,
                      json_t **version_r, struct error *err)
{
    static const char exact[] = "SELECT 0" VERSION_FIELDS(
        FIELD_COLUMN) " FROM agent_versions WHERE agent_id = $1 AND version = $2";
    static const char current[] = "SELECT 0" VERSION_FIELDS(
        FIELD_COLUMN) " FROM agent_versions WHERE agent_id = $1 AND is_current = 1";
    struct row_read read = {fields, countof(fields), 1, NULL};
    int result =
        version != NULL
            ? storage_query(storage, exact, row_read_fn, &read, err, "ss", agent_id, version)
            : storage_query(storage, current, row_read_fn, &read, err, "s", agent_id);
    *version_r = read.json;
    return result;
}

struct each {
    void (*fn)(void *arg, const char *version);
    void *arg;
};

static int each_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    const struct each *each = arg;
    each->fn(each->arg, v[0].u.s);
    return 0;
}

int store_version_each(struct storage *storage, const char *agent_id,
                       void (*fn)(void *arg, const char *version), void *arg, struct error *err)
{
    struct each each = {fn, arg};
    return storage_query(storage, "SELECT version FROM agent_versions WHERE agent_id = $1",
                         each_row, &each, err, "s", agent_id);
}
