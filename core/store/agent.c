#include "store/agent.h"

#include <string.h>

#include "store/access.h"

#define AGENT_FIELDS(F)                                                                            \
    F("a.id", "id", TEXT)                                                                          \
    F("a.name", "name", TEXT)                                                                      \
    F("a.description", "description", TEXT)                                                        \
    F("a.user_id", "userId", TEXT)                                                                 \
    F("a.organization_id", "organizationId", TEXT)                                                 \
    F("a.persona_id", "personaId", TEXT)                                                           \
    F("a.skillset", "skillset", JSON)                                                              \
    F("a.input_schema", "inputSchema", JSON)                                                       \
    F("a.output_schema", "outputSchema", JSON)                                                     \
    F("a.trigger_mode", "triggerMode", TEXT)                                                       \
    F("a.trigger_config", "triggerConfig", JSON)                                                   \
    F("a.execution_config", "executionConfig", JSON)                                               \
    F("a.visibility", "visibility", TEXT)                                                          \
    F("a.status", "status", TEXT)                                                                  \
    F("a.deprecated_at", "deprecatedAt", TIME)                                                     \
    F("a.sunset_at", "sunsetAt", TIME)                                                             \
    F("a.deprecation_reason", "deprecationReason", TEXT)                                           \
    F("a.current_version", "currentVersion", TEXT)                                                 \
    F("a.revision", "revision", INT)                                                               \
    F("a.metadata", "metadata", JSON)                                                              \
    F("a.created_at", "createdAt", TIME)                                                           \
    F("a.updated_at", "updatedAt", TIME)
static const struct field fields[] = {AGENT_FIELDS(FIELD_ENTRY)};

static const struct list_sort sorts[] = {
    {"createdAt", "a.created_at", SORT_INT},
    {"updatedAt", "a.updated_at", SORT_INT},
    {"name", "a.name", SORT_TEXT},
};
static const struct list_filter filters[] = {
    {"status", FILTER_TEXT, "draft|published|deprecated|archived", "a.status = ?"},
    {"visibility", FILTER_TEXT, "private|team|organization|public", "a.visibility = ?"},
    {"triggerMode", FILTER_TEXT, "manual|event|scheduled", "a.trigger_mode = ?"},
    {"skill", FILTER_MEMBER, NULL, "CAST(a.skillset AS TEXT) LIKE ? ESCAPE '\\'"},
    {"owner", FILTER_ID, NULL, "a.user_id = ?"},
    {"organization", FILTER_ID, NULL, "a.organization_id = ?"},
    {"name", FILTER_TEXT, NULL, "a.name = ?"},
    {"text", FILTER_CONTAINS, NULL,
     "LOWER(a.name) LIKE LOWER(?) ESCAPE '\\'"
     " OR LOWER(a.description) LIKE LOWER(?) ESCAPE '\\'"},
};

const struct list store_agent_list = {
    .name = "agents",
    .columns = AGENT_FIELDS(FIELD_COLUMN),
    .from = " FROM agents a WHERE a.organization_id = $1 AND a.is_chain = 0",
    .n_scope = 1,
    .table = "agents a",
    .id = "a.id",
    .default_sort = "-createdAt",
    LIST_SORTS(sorts),
    LIST_FILTERS(filters),
    LIST_FIELDS(fields),
};

/* Each branch is in the order of createdAt by an index of its own. */
static const struct list_branch seen[] = {
    {" FROM agents a WHERE a.organization_id = $1 AND a.visibility IN ('organization', 'public')"
     " AND a.is_chain = 0",
     NULL, NULL, 0},
    {" FROM agents a WHERE a.organization_id = $1 AND a.user_id = $2 AND a.is_chain = 0", NULL,
     NULL, 0},
    {" FROM agent_audience v JOIN agents a ON a.id = v.agent_id"
     " WHERE v.audience_id = ? AND a.organization_id = $1",
     "v.agent_created_at", "v.agent_id", 0},
};

int store_agent_list_seen(struct storage *storage, const struct list_args *args,
                          const char *organization_id, const char *user_id,
                          char (*teams)[UUID_SIZE], size_t n_teams, struct buf *page,
                          struct error *err)
{
    struct list_branch branches[3 + STORE_TEAMS_MAX];
    struct c9d_value scope[2 + STORE_TEAMS_MAX] = {list_text(organization_id), list_text(user_id)};
    memcpy(branches, seen, sizeof(seen));
    branches[2].param = 2;
    for (size_t i = 0; i < n_teams; i++) {
        branches[3 + i] = seen[2];
        branches[3 + i].param = 3 + i;
        scope[2 + i] = list_text(teams[i]);
    }
    return store_list_text(storage, &store_agent_list, branches, 3 + n_teams, args, scope,
                           2 + n_teams, page, err);
}

/* ---- writing ---- */

void store_agent_limit(struct storage_batch *batch, const char *organization_id, int64_t max)
{
    /* Writes the organization's row: counting and inserting are one step for all writers. */
    storage_batch_add(batch,
                      "UPDATE organizations SET updated_at = updated_at WHERE id = $1"
                      " AND (SELECT COUNT(*) FROM agents WHERE organization_id = $1)"
                      " < " ORGANIZATION_LIMIT("maxAgents", "$2"),
                      1, NULL, NULL, "si", organization_id, max);
}

void store_agent_insert(struct storage_batch *batch, const char *id, const char *user_id,
                        const char *organization_id, const struct agent_columns *columns,
                        int64_t at)
{
    storage_batch_add(batch,
                      "INSERT INTO agents (id, user_id, organization_id, name, description,"
                      " persona_id, skillset, input_schema, output_schema, trigger_mode,"
                      " trigger_config, execution_config, visibility, metadata, created_at,"
                      " updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
                      " $14, $15, $15)",
                      1, NULL, NULL, "ssssssssssssssi", id, user_id, organization_id, columns->name,
                      columns->description, columns->persona_id, columns->skillset,
                      columns->input_schema, columns->output_schema, columns->trigger_mode,
                      columns->trigger_config, columns->execution_config, columns->visibility,
                      columns->metadata, at);
    if (strcmp(columns->visibility, "team") == 0)
        storage_batch_add(batch, ACCESS_REMEMBER("a.id = $1"), -1, NULL, NULL, "s", id);
}

void store_agent_audience(struct storage_batch *batch, const char *id)
{
    storage_batch_add(batch, ACCESS_FORGET("a.id = $1"), -1, NULL, NULL, "s", id);
    storage_batch_add(batch, ACCESS_REMEMBER("a.id = $1"), -1, NULL, NULL, "s", id);
}

void store_agent_update(struct storage_batch *batch, const char *id,
                        const struct agent_columns *columns, int64_t at)
{
    storage_batch_add(batch,
                      "UPDATE agents SET name = $2, description = $3, persona_id = $4,"
                      " skillset = $5, input_schema = $6, output_schema = $7, trigger_mode = $8,"
                      " trigger_config = $9, execution_config = $10, visibility = $11,"
                      " metadata = $12, updated_at = $13, revision = revision + 1 WHERE id = $1",
                      1, NULL, NULL, "ssssssssssssi", id, columns->name, columns->description,
                      columns->persona_id, columns->skillset, columns->input_schema,
                      columns->output_schema, columns->trigger_mode, columns->trigger_config,
                      columns->execution_config, columns->visibility, columns->metadata, at);
    store_agent_audience(batch, id);
}

void store_agent_delete(struct storage_batch *batch, const char *id, bool force)
{
    storage_batch_add(batch,
                      "DELETE FROM agents WHERE id = $1"
                      " AND (status IN ('draft', 'archived') OR $2 = 1) AND NOT EXISTS"
                      " (SELECT 1 FROM agent_executions e WHERE e.agent_id = $1"
                      " AND e.status IN ('pending', 'running'))",
                      1, NULL, NULL, "si", id, (int64_t)force);
}

void store_agent_published(struct storage_batch *batch, const char *id, const char *version,
                           int64_t at)
{
    storage_batch_add(batch,
                      "UPDATE agents SET status = 'published', current_version = $2,"
                      " updated_at = $3, revision = revision + 1"
                      " WHERE id = $1 AND status IN ('draft', 'published')",
                      1, NULL, NULL, "ssi", id, version, at);
}

void store_agent_deprecate(struct storage_batch *batch, const char *id,
                           const struct deprecation *deprecation)
{
    storage_batch_add(batch,
                      "UPDATE agents SET status = 'deprecated', deprecated_at = $2, sunset_at = $3,"
                      " deprecation_reason = $4, updated_at = $2, revision = revision + 1"
                      " WHERE id = $1 AND status = 'published'",
                      1, NULL, NULL, "siIs", id, deprecation->at,
                      deprecation->sunset_at != 0 ? &deprecation->sunset_at : NULL,
                      deprecation->reason);
}

void store_agent_archive(struct storage_batch *batch, const char *id, int64_t at)
{
    storage_batch_add(batch,
                      "UPDATE agents SET status = 'archived', updated_at = $2,"
                      " revision = revision + 1"
                      " WHERE id = $1 AND status IN ('published', 'deprecated')",
                      1, NULL, NULL, "si", id, at);
}

/* ---- reading ---- */

#define META_COLUMNS                                                                               \
    "a.id, a.user_id, a.organization_id, a.visibility, a.status, a.current_version, a.revision,"   \
    " a.is_chain, " ACCESS_GRANTS("$1")
enum { META_COUNT = 9 };
#define BY_ID   " FROM agents a WHERE a.id = $2"
#define BY_NAME " FROM agents a WHERE a.organization_id = $2 AND a.name = $3"

struct agent_read {
    struct row_read row;
    struct agent_meta *meta;
};

static int agent_row(void *arg, const struct c9d_value *v, size_t n)
{
    struct agent_read *read = arg;
    struct agent_meta *meta = read->meta;
    row_text_into(&v[0], meta->id, sizeof(meta->id));
    row_text_into(&v[1], meta->user_id, sizeof(meta->user_id));
    row_text_into(&v[2], meta->organization_id, sizeof(meta->organization_id));
    row_text_into(&v[3], meta->visibility, sizeof(meta->visibility));
    row_text_into(&v[4], meta->status, sizeof(meta->status));
    row_text_into(&v[5], meta->current_version, sizeof(meta->current_version));
    meta->revision = v[6].u.i;
    meta->chain = v[7].u.i != 0;
    meta->grants = (unsigned)v[8].u.i;
    return n > META_COUNT ? row_read_fn(&read->row, v, n) : 1;
}

int store_agent_get(struct storage *storage, const char *id, const char *user_id,
                    struct agent_meta *meta_r, json_t **agent_r, struct error *err)
{
    static const char meta_only[] = "SELECT " META_COLUMNS BY_ID;
    static const char whole[] = "SELECT " META_COLUMNS AGENT_FIELDS(FIELD_COLUMN) BY_ID;
    struct agent_read read = {{fields, countof(fields), META_COUNT, NULL}, meta_r};
    meta_r->id[0] = '\0';
    if (storage_query(storage, agent_r != NULL ? whole : meta_only, agent_row, &read, err, "ss",
                      user_id, id) < 0)
        return -1;
    if (agent_r != NULL)
        *agent_r = read.row.json;
    return 0;
}

int store_agent_get_by_name(struct storage *storage, const char *organization_id, const char *name,
                            const char *user_id, struct agent_meta *meta_r, json_t **agent_r,
                            struct error *err)
{
    static const char meta_only[] = "SELECT " META_COLUMNS BY_NAME;
    static const char whole[] = "SELECT " META_COLUMNS AGENT_FIELDS(FIELD_COLUMN) BY_NAME;
    struct agent_read read = {{fields, countof(fields), META_COUNT, NULL}, meta_r};
    meta_r->id[0] = '\0';
    if (storage_query(storage, agent_r != NULL ? whole : meta_only, agent_row, &read, err, "sss",
                      user_id, organization_id, name) < 0)
        return -1;
    if (agent_r != NULL)
        *agent_r = read.row.json;
    return 0;
}

struct deprecation_read {
    struct deprecation *deprecation;
    char **reason;
};

static int deprecation_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    struct deprecation_read *read = arg;
    *read->deprecation = (struct deprecation){.at = v[0].u.i, .sunset_at = v[1].u.i};
    *read->reason = row_text(&v[2]);
    return 1;
}

int store_agent_deprecation(struct storage *storage, const char *id,
                            struct deprecation *deprecation_r, char **reason_r, struct error *err)
{
    struct deprecation_read read = {deprecation_r, reason_r};
    *deprecation_r = (struct deprecation){.at = 0};
    *reason_r = NULL;
    return storage_query(storage,
                         "SELECT COALESCE(deprecated_at, 0), COALESCE(sunset_at, 0),"
                         " deprecation_reason FROM agents WHERE id = $1",
                         deprecation_row, &read, err, "s", id);
}
