#include "store/version.h"

#define VERSION_FIELDS(F)                                                                          \
    F("id", "id", TEXT)                                                                            \
    F("agent_id", "agentId", TEXT)                                                                 \
    F("version", "version", TEXT)                                                                  \
    F("config", "config", JSON)                                                                    \
    F("changelog", "changelog", TEXT)                                                              \
    F("pins", "pins", JSON)                                                                        \
    F("status", "status", TEXT)                                                                    \
    F("published_at", "publishedAt", TIME)                                                         \
    F("created_by", "createdBy", TEXT)                                                             \
    F("deprecated_at", "deprecatedAt", TIME)                                                       \
    F("sunset_at", "sunsetAt", TIME)                                                               \
    F("deprecation_reason", "deprecationReason", TEXT)                                             \
    F("revision", "revision", INT)                                                                 \
    F("is_current", "isCurrent", BOOL)                                                             \
    F("created_at", "createdAt", TIME)
static const struct field fields[] = {VERSION_FIELDS(FIELD_ENTRY)};

static const struct list_sort sorts[] = {{"createdAt", "id", SORT_TEXT}};
static const struct list_filter filters[] = {
    {"status", FILTER_TEXT, "draft|published|deprecated|archived", "status = ?"},
};

const struct list store_version_list = {
    .name = "versions",
    .columns = VERSION_FIELDS(FIELD_COLUMN),
    .from = " FROM agent_versions WHERE agent_id = $1",
    .n_scope = 1,
    .id = "id",
    .default_sort = "-createdAt",
    LIST_SORTS(sorts),
    LIST_FILTERS(filters),
    LIST_FIELDS(fields),
};

void store_version_insert(struct storage_batch *batch, const struct version_row *row)
{
    storage_batch_add(batch,
                      "INSERT INTO agent_versions (id, agent_id, version, config, changelog,"
                      " created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                      1, NULL, NULL, "ssssssi", row->id, row->agent_id, row->version, row->config,
                      row->changelog, row->user_id, row->at);
}

static void current_none(struct storage_batch *batch, const char *agent_id)
{
    storage_batch_add(batch,
                      "UPDATE agent_versions SET is_current = 0"
                      " WHERE agent_id = $1 AND is_current = 1",
                      -1, NULL, NULL, "s", agent_id);
}

void store_version_publish(struct storage_batch *batch, const char *agent_id, const char *version,
                           int64_t revision, const char *pins, const char *changelog, int64_t at)
{
    current_none(batch, agent_id);
    storage_batch_add(batch,
                      "UPDATE agent_versions SET is_current = 1, status = 'published', pins = $4,"
                      " published_at = $5, changelog = COALESCE($6, changelog)"
                      " WHERE agent_id = $1 AND version = $2 AND revision = $3"
                      " AND status = 'draft'",
                      1, NULL, NULL, "ssisis", agent_id, version, revision, pins, at, changelog);
}

void store_version_make_current(struct storage_batch *batch, const char *agent_id,
                                const char *version)
{
    current_none(batch, agent_id);
    storage_batch_add(batch,
                      "UPDATE agent_versions SET is_current = 1"
                      " WHERE agent_id = $1 AND version = $2 AND status = 'published'",
                      1, NULL, NULL, "ss", agent_id, version);
}

void store_version_edit(struct storage_batch *batch, const char *agent_id, const char *version,
                        int64_t revision, const char *config, const char *changelog)
{
    storage_batch_add(batch,
                      "UPDATE agent_versions SET config = $4, changelog = $5,"
                      " revision = revision + 1 WHERE agent_id = $1 AND version = $2"
                      " AND revision = $3 AND status = 'draft'",
                      1, NULL, NULL, "ssiss", agent_id, version, revision, config, changelog);
}

void store_version_deprecate(struct storage_batch *batch, const char *agent_id, const char *version,
                             const struct deprecation *deprecation)
{
    storage_batch_add(batch,
                      "UPDATE agent_versions SET status = 'deprecated', deprecated_at = $3,"
                      " sunset_at = $4, deprecation_reason = $5"
                      " WHERE agent_id = $1 AND version = $2 AND status = 'published'",
                      1, NULL, NULL, "ssiIs", agent_id, version, deprecation->at,
                      deprecation->sunset_at != 0 ? &deprecation->sunset_at : NULL,
                      deprecation->reason);
}

/* The targets of an alias are a JSON array in which only versions are such texts. */
#define NOT_IN_AN_ALIAS                                                                            \
    " AND NOT EXISTS (SELECT 1 FROM agent_aliases a WHERE a.agent_id = $1"                         \
    " AND CAST(a.targets AS TEXT) LIKE '%\"' || $2 || '\"%')"

void store_version_archive(struct storage_batch *batch, const char *agent_id, const char *version)
{
    storage_batch_add(
        batch,
        "UPDATE agent_versions SET status = 'archived'"
        " WHERE agent_id = $1 AND version = $2"
        " AND status IN ('published', 'deprecated') AND is_current = 0" NOT_IN_AN_ALIAS,
        1, NULL, NULL, "ss", agent_id, version);
}

void store_version_delete(struct storage_batch *batch, const char *agent_id, const char *version,
                          int64_t revision)
{
    storage_batch_add(batch,
                      "DELETE FROM agent_versions WHERE agent_id = $1 AND version = $2"
                      " AND revision = $3 AND status IN ('draft', 'archived') AND NOT EXISTS"
                      " (SELECT 1 FROM agent_executions e WHERE e.agent_id = $1"
                      " AND e.agent_version = $2 AND e.status IN ('pending', 'running'))",
                      1, NULL, NULL, "ssi", agent_id, version, revision);
}

void store_version_guard(struct storage_batch *batch, const char *agent_id, const char *version)
{
    storage_batch_add(batch,
                      "UPDATE agent_versions SET status = status WHERE agent_id = $1"
                      " AND version = $2 AND status IN ('published', 'deprecated')",
                      1, NULL, NULL, "ss", agent_id, version);
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

/* ---- what decides ---- */

#define META_COLUMNS                                                                               \
    "SELECT version, status, COALESCE(deprecated_at, 0), COALESCE(sunset_at, 0), is_current"       \
    " FROM agent_versions WHERE agent_id = $1"

static void meta_read(const struct c9d_value *v, struct version_meta *meta)
{
    row_text_into(&v[0], meta->version, sizeof(meta->version));
    row_text_into(&v[1], meta->status, sizeof(meta->status));
    meta->deprecated_at = v[2].u.i;
    meta->sunset_at = v[3].u.i;
    meta->current = v[4].u.i != 0;
}

static int meta_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    meta_read(v, arg);
    return 1;
}

int store_version_meta(struct storage *storage, const char *agent_id, const char *version,
                       struct version_meta *meta_r, struct error *err)
{
    *meta_r = (struct version_meta){.version = ""};
    return version != NULL ? storage_query(storage, META_COLUMNS " AND version = $2", meta_row,
                                           meta_r, err, "ss", agent_id, version)
                           : storage_query(storage, META_COLUMNS " AND is_current = 1", meta_row,
                                           meta_r, err, "s", agent_id);
}

struct each {
    void (*fn)(void *arg, const struct version_meta *meta);
    void *arg;
};

static int each_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    const struct each *each = arg;
    struct version_meta meta;
    meta_read(v, &meta);
    each->fn(each->arg, &meta);
    return 0;
}

int store_version_each(struct storage *storage, const char *agent_id,
                       void (*fn)(void *arg, const struct version_meta *meta), void *arg,
                       struct error *err)
{
    struct each each = {fn, arg};
    return storage_query(storage, META_COLUMNS, each_row, &each, err, "s", agent_id);
}

static int reason_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    char **reason_r = arg;
    *reason_r = row_text(&v[0]);
    return 1;
}

int store_version_reason(struct storage *storage, const char *agent_id, const char *version,
                         char **reason_r, struct error *err)
{
    *reason_r = NULL;
    return storage_query(storage,
                         "SELECT deprecation_reason FROM agent_versions"
                         " WHERE agent_id = $1 AND version = $2",
                         reason_row, reason_r, err, "ss", agent_id, version);
}
