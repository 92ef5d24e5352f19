#include "store/alias.h"

#define ALIAS_FIELDS(F)                                                                            \
    F("name", "name", TEXT)                                                                        \
    F("agent_id", "agentId", TEXT)                                                                 \
    F("targets", "targets", JSON)                                                                  \
    F("revision", "revision", INT)                                                                 \
    F("created_at", "createdAt", TIME)                                                             \
    F("updated_at", "updatedAt", TIME)
static const struct field fields[] = {ALIAS_FIELDS(FIELD_ENTRY)};

static const struct list_sort sorts[] = {{"name", "name", SORT_TEXT}};

const struct list store_alias_list = {
    .name = "aliases",
    .columns = ALIAS_FIELDS(FIELD_COLUMN),
    .from = " FROM agent_aliases WHERE agent_id = $1",
    .n_scope = 1,
    .id = "name",
    .default_sort = "name",
    LIST_SORTS(sorts),
    LIST_FIELDS(fields),
};

void store_alias_limit(struct storage_batch *batch, const char *agent_id, const char *name,
                       int64_t max)
{
    storage_batch_add(batch,
                      "UPDATE agents SET revision = revision WHERE id = $1 AND (SELECT COUNT(*)"
                      " FROM agent_aliases WHERE agent_id = $1 AND name <> $2) < $3",
                      1, NULL, NULL, "ssi", agent_id, name, max);
}

void store_alias_guard(struct storage_batch *batch, const char *agent_id, const char *name,
                       const int64_t *revision)
{
    storage_batch_add(batch,
                      "UPDATE agent_aliases SET revision = revision WHERE agent_id = $1"
                      " AND name = $2 AND revision = COALESCE($3, revision)",
                      1, NULL, NULL, "ssI", agent_id, name, revision);
}

void store_alias_put(struct storage_batch *batch, const char *id, const char *agent_id,
                     const char *name, const char *targets, bool only_new, int64_t at)
{
    storage_batch_add(batch,
                      "INSERT INTO agent_aliases (id, agent_id, name, targets, created_at,"
                      " updated_at) VALUES ($1, $2, $3, $4, $5, $5)"
                      " ON CONFLICT (agent_id, name) DO UPDATE SET targets = excluded.targets,"
                      " updated_at = excluded.updated_at, revision = agent_aliases.revision + 1"
                      " WHERE $6 = 0",
                      1, NULL, NULL, "ssssii", id, agent_id, name, targets, at, (int64_t)only_new);
}

void store_alias_delete(struct storage_batch *batch, const char *agent_id, const char *name)
{
    storage_batch_add(batch, "DELETE FROM agent_aliases WHERE agent_id = $1 AND name = $2", 1, NULL,
                      NULL, "ss", agent_id, name);
}

int store_alias_get(struct storage *storage, const char *agent_id, const char *name,
                    json_t **alias_r, struct error *err)
{
    struct row_read read = {fields, countof(fields), 1, NULL};
    int result = storage_query(
        storage,
        "SELECT 0" ALIAS_FIELDS(FIELD_COLUMN) " FROM agent_aliases WHERE agent_id = $1"
                                              " AND name = $2",
        row_read_fn, &read, err, "ss", agent_id, name);
    *alias_r = read.json;
    return result;
}

int store_alias_naming(struct storage *storage, const char *agent_id, const char *version,
                       json_t **names_r, struct error *err)
{
    *names_r = json_array();
    return storage_query(storage,
                         "SELECT name FROM agent_aliases WHERE agent_id = $1"
                         " AND CAST(targets AS TEXT) LIKE '%\"' || $2 || '\"%' ORDER BY name",
                         row_texts_fn, *names_r, err, "ss", agent_id, version);
}
