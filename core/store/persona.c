#include "store/persona.h"

#define PERSONA_FIELDS(F)                                                                          \
    F("id", "id", TEXT)                                                                            \
    F("name", "name", TEXT)                                                                        \
    F("description", "description", TEXT)                                                          \
    F("prompt", "prompt", TEXT)                                                                    \
    F("user_id", "userId", TEXT)                                                                   \
    F("organization_id", "organizationId", TEXT)                                                   \
    F("revision", "revision", INT)                                                                 \
    F("created_at", "createdAt", TIME)                                                             \
    F("updated_at", "updatedAt", TIME)
static const struct field fields[] = {PERSONA_FIELDS(FIELD_ENTRY)};

static const struct list_sort sorts[] = {
    {"name", "name", SORT_TEXT},
    {"createdAt", "id", SORT_TEXT},
};
static const struct list_filter filters[] = {
    {"name", FILTER_TEXT, NULL, "name = ?"},
    {"text", FILTER_CONTAINS, NULL,
     "LOWER(name) LIKE LOWER(?) ESCAPE '\\'"
     " OR LOWER(description) LIKE LOWER(?) ESCAPE '\\'"},
};

const struct list store_persona_list = {
    .name = "personas",
    .columns = PERSONA_FIELDS(FIELD_COLUMN),
    .from = " FROM personas WHERE organization_id = $1",
    .n_scope = 1,
    .id = "id",
    .default_sort = "-createdAt",
    LIST_SORTS(sorts),
    LIST_FILTERS(filters),
    LIST_FIELDS(fields),
};

void store_persona_insert(struct storage_batch *batch, const struct persona_row *row)
{
    storage_batch_add(batch,
                      "INSERT INTO personas (id, name, description, prompt, user_id,"
                      " organization_id, created_at, updated_at)"
                      " VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
                      1, NULL, NULL, "ssssssi", row->id, row->name, row->description, row->prompt,
                      row->user_id, row->organization_id, row->at);
}

void store_persona_update(struct storage_batch *batch, const struct persona_row *row)
{
    storage_batch_add(batch,
                      "UPDATE personas SET name = $2, description = $3, prompt = $4,"
                      " updated_at = $5, revision = revision + 1 WHERE id = $1",
                      1, NULL, NULL, "ssssi", row->id, row->name, row->description, row->prompt,
                      row->at);
}

void store_persona_delete(struct storage_batch *batch, const char *id)
{
    storage_batch_add(batch,
                      "DELETE FROM personas WHERE id = $1"
                      " AND NOT EXISTS (SELECT 1 FROM agents WHERE persona_id = $1)",
                      1, NULL, NULL, "s", id);
}

struct persona_read {
    struct row_read row;
    struct persona_meta *meta;
};

static int persona_row(void *arg, const struct c9d_value *v, size_t n)
{
    struct persona_read *read = arg;
    row_text_into(&v[0], read->meta->user_id, sizeof(read->meta->user_id));
    read->meta->revision = v[1].u.i;
    return row_read_fn(&read->row, v, n);
}

int store_persona_get(struct storage *storage, const char *id, const char *organization_id,
                      struct persona_meta *meta_r, json_t **persona_r, struct error *err)
{
    struct persona_read read = {{fields, countof(fields), 2, NULL}, meta_r};
    if (storage_query(storage,
                      "SELECT user_id, revision" PERSONA_FIELDS(
                          FIELD_COLUMN) " FROM personas WHERE id = $1 AND organization_id = $2",
                      persona_row, &read, err, "ss", id, organization_id) < 0)
        return -1;
    *persona_r = read.row.json;
    return 0;
}

int store_persona_agents(struct storage *storage, const char *id, json_t **agents_r,
                         struct error *err)
{
    json_t *agents = json_array();
    if (storage_query(storage,
                      "SELECT id, name FROM agents WHERE persona_id = $1 ORDER BY id LIMIT 20",
                      row_names_fn, agents, err, "s", id) < 0) {
        json_decref(agents);
        return -1;
    }
    *agents_r = agents;
    return 0;
}
