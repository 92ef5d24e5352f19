#include "store/skill.h"

#include <string.h>

/* ->> is of both dialects; an absent member gives NULL, so no member. */
#define SKILL_FIELDS(F)                                                                            \
    F("s.id", "id", TEXT)                                                                          \
    F("s.name", "name", TEXT)                                                                      \
    F("r.version", "version", TEXT)                                                                \
    F("o.manifest ->> 'description'", "description", TEXT)                                         \
    F("r.sha256", "sha256", TEXT)                                                                  \
    F("s.user_id", "userId", TEXT)                                                                 \
    F("r.created_by", "createdBy", TEXT)                                                           \
    F("s.organization_id", "organizationId", TEXT)                                                 \
    F("s.created_at", "createdAt", TIME)                                                           \
    F("s.updated_at", "updatedAt", TIME)
#define SKILL_FULL_FIELDS(F)                                                                       \
    SKILL_FIELDS(F)                                                                                \
    F("o.manifest", "manifest", JSON)                                                              \
    F("o.source", "source", TEXT)
#define REVISION_FIELDS(F)                                                                         \
    F("r.sha256", "sha256", TEXT)                                                                  \
    F("r.version", "version", TEXT)                                                                \
    F("r.created_by", "createdBy", TEXT)                                                           \
    F("r.created_at", "createdAt", TIME)                                                           \
    F("CASE WHEN r.sha256 = s.current_sha256 THEN 1 ELSE 0 END", "isCurrent", BOOL)
static const struct field fields[] = {SKILL_FIELDS(FIELD_ENTRY)};
static const struct field full_fields[] = {SKILL_FULL_FIELDS(FIELD_ENTRY)};
static const struct field revision_fields[] = {REVISION_FIELDS(FIELD_ENTRY)};

static const struct list_sort sorts[] = {
    {"name", "s.name", SORT_TEXT},
    {"createdAt", "s.id", SORT_TEXT},
};
static const struct list_filter filters[] = {
    {"name", FILTER_TEXT, NULL, "s.name = ?"},
    {"text", FILTER_CONTAINS, NULL,
     "s.name LIKE LOWER(?) ESCAPE '\\'"
     " OR LOWER(o.manifest ->> 'description') LIKE LOWER(?) ESCAPE '\\'"},
};

const struct list store_skill_list = {
    .name = "skills",
    .columns = SKILL_FIELDS(FIELD_COLUMN),
    .from = " FROM skills s"
            " JOIN skill_revisions r ON r.skill_id = s.id AND r.sha256 = s.current_sha256"
            " JOIN skill_sources o ON o.sha256 = s.current_sha256"
            " WHERE s.organization_id = $1",
    .n_scope = 1,
    .id = "s.id",
    .default_sort = "name",
    LIST_SORTS(sorts),
    LIST_FILTERS(filters),
    LIST_FIELDS(fields),
};

static const struct list_sort revision_sorts[] = {{"createdAt", "r.created_at", SORT_INT}};

const struct list store_skill_revision_list = {
    .name = "revisions",
    .columns = REVISION_FIELDS(FIELD_COLUMN),
    .from = " FROM skill_revisions r JOIN skills s ON s.id = r.skill_id WHERE r.skill_id = $1",
    .n_scope = 1,
    .id = "r.sha256",
    .default_sort = "-createdAt",
    LIST_SORTS(revision_sorts),
    LIST_FIELDS(revision_fields),
};

/* ---- writing ---- */

void store_source_insert(struct storage_batch *batch, const char *sha256, const char *source,
                         size_t len, const char *manifest)
{
    storage_batch_add(batch,
                      "INSERT INTO skill_sources (sha256, source, manifest) VALUES ($1, $2, $3)"
                      " ON CONFLICT (sha256) DO NOTHING",
                      -1, NULL, NULL, "sSs", sha256, source, len, manifest);
}

void store_source_guard(struct storage_batch *batch, const char *sha256)
{
    storage_batch_add(batch, "UPDATE skill_sources SET manifest = manifest WHERE sha256 = $1", 1,
                      NULL, NULL, "s", sha256);
}

static void revision_insert(struct storage_batch *batch, const struct skill_row *row)
{
    storage_batch_add(batch,
                      "INSERT INTO skill_revisions (skill_id, sha256, version, created_by,"
                      " created_at) VALUES ($1, $2, $3, $4, $5)"
                      " ON CONFLICT (skill_id, sha256) DO NOTHING",
                      -1, NULL, NULL, "ssssi", row->id, row->sha256, row->version, row->user_id,
                      row->at);
}

void store_skill_insert(struct storage_batch *batch, const struct skill_row *row)
{
    store_source_insert(batch, row->sha256, row->source, row->source_len, row->manifest);
    storage_batch_add(batch,
                      "INSERT INTO skills (id, name, organization_id, user_id, current_sha256,"
                      " created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $6)",
                      1, NULL, NULL, "sssssi", row->id, row->name, row->organization_id,
                      row->user_id, row->sha256, row->at);
    revision_insert(batch, row);
}

void store_skill_revise(struct storage_batch *batch, const struct skill_row *row)
{
    store_source_insert(batch, row->sha256, row->source, row->source_len, row->manifest);
    revision_insert(batch, row);
    storage_batch_add(batch, "UPDATE skills SET current_sha256 = $2, updated_at = $3 WHERE id = $1",
                      1, NULL, NULL, "ssi", row->id, row->sha256, row->at);
}

void store_skill_guard(struct storage_batch *batch, const char *id, const char *sha256)
{
    storage_batch_add(batch,
                      "UPDATE skills SET current_sha256 = current_sha256 WHERE id = $1"
                      " AND current_sha256 = COALESCE($2, current_sha256)",
                      1, NULL, NULL, "ss", id, sha256);
}

void store_skill_delete(struct storage_batch *batch, const char *id, const char *name,
                        const char *organization_id)
{
    /* Names of skills have no character that JSON escapes. */
    autofree char *pattern = list_pattern(name, true);
    storage_batch_add(batch,
                      "DELETE FROM skills WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM agents"
                      " WHERE organization_id = $2 AND CAST(skillset AS TEXT) LIKE $3 ESCAPE '\\')",
                      1, NULL, NULL, "sss", id, organization_id, pattern);
    storage_batch_add(batch,
                      "DELETE FROM skill_sources WHERE NOT EXISTS (SELECT 1 FROM skill_revisions r"
                      " WHERE r.sha256 = skill_sources.sha256)"
                      " AND NOT EXISTS (SELECT 1 FROM agent_versions v WHERE CAST(v.pins AS TEXT)"
                      " LIKE '%' || skill_sources.sha256 || '%')",
                      -1, NULL, NULL, "");
}

/* ---- reading ---- */

static int meta_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    struct skill_meta *meta = arg;
    row_text_into(&v[0], meta->id, sizeof(meta->id));
    row_text_into(&v[1], meta->user_id, sizeof(meta->user_id));
    row_text_into(&v[2], meta->sha256, sizeof(meta->sha256));
    row_text_into(&v[3], meta->name, sizeof(meta->name));
    return 1;
}

int store_skill_find(struct storage *storage, const char *organization_id, const char *ref,
                     struct skill_meta *meta_r, struct error *err)
{
    static const char by_name[] = "SELECT id, user_id, current_sha256, name FROM skills"
                                  " WHERE organization_id = $1 AND name = $2";
    static const char by_id[] = "SELECT id, user_id, current_sha256, name FROM skills"
                                " WHERE organization_id = $1 AND id = $2";
    meta_r->id[0] = '\0';
    return storage_query(storage, uuid_valid(ref, strlen(ref)) ? by_id : by_name, meta_row, meta_r,
                         err, "ss", organization_id, ref);
}

int store_skill_get(struct storage *storage, const char *organization_id, const char *ref,
                    const char *sha256, struct skill_meta *meta_r, json_t **skill_r,
                    struct error *err)
{
    *skill_r = NULL;
    if (store_skill_find(storage, organization_id, ref, meta_r, err) < 0)
        return -1;
    if (meta_r->id[0] == '\0')
        return 0;
    struct row_read read = {full_fields, countof(full_fields), 1, NULL};
    if (storage_query(storage,
                      "SELECT 0" SKILL_FULL_FIELDS(
                          FIELD_COLUMN) " FROM skills s JOIN skill_revisions r ON r.skill_id = s.id"
                                        " JOIN skill_sources o ON o.sha256 = r.sha256"
                                        " WHERE s.id = $1 AND r.sha256 = $2",
                      row_read_fn, &read, err, "ss", meta_r->id,
                      sha256 != NULL ? sha256 : meta_r->sha256) < 0)
        return -1;
    *skill_r = read.json;
    return 0;
}

#define MANIFEST_FIELDS(F)                                                                         \
    F("s.name", "name", TEXT)                                                                      \
    F("o.manifest ->> 'version'", "version", TEXT)                                                 \
    F("s.current_sha256", "sha256", TEXT)                                                          \
    F("o.manifest", "manifest", JSON)
static const struct field manifest_fields[] = {MANIFEST_FIELDS(FIELD_ENTRY)};

int store_skill_manifests(struct storage *storage, const char *organization_id, const json_t *names,
                          json_t **skills_r, struct error *err)
{
    json_t *skills = json_array();
    for (size_t i = 0; i < json_array_size(names); i++) {
        struct row_read read = {manifest_fields, countof(manifest_fields), 1, NULL};
        if (storage_query(storage,
                          "SELECT 0" MANIFEST_FIELDS(
                              FIELD_COLUMN) " FROM skills s JOIN skill_sources o ON o.sha256 = "
                                            "s.current_sha256"
                                            " WHERE s.organization_id = $1 AND s.name = $2",
                          row_read_fn, &read, err, "ss", organization_id,
                          json_string_value(json_array_get(names, i))) < 0) {
            json_decref(skills);
            return -1;
        }
        if (read.json != NULL)
            json_array_append_new(skills, read.json);
    }
    *skills_r = skills;
    return 0;
}

int store_skill_names(struct storage *storage, const char *organization_id, int64_t max,
                      json_t **names_r, struct error *err)
{
    json_t *names = json_array();
    if (storage_query(storage,
                      "SELECT name FROM skills WHERE organization_id = $1 ORDER BY name LIMIT $2",
                      row_texts_fn, names, err, "si", organization_id, max) < 0) {
        json_decref(names);
        return -1;
    }
    *names_r = names;
    return 0;
}

int store_skill_agents(struct storage *storage, const char *organization_id, const char *name,
                       json_t **agents_r, struct error *err)
{
    autofree char *pattern = list_pattern(name, true);
    json_t *agents = json_array();
    if (storage_query(storage,
                      "SELECT id, name FROM agents WHERE organization_id = $1"
                      " AND CAST(skillset AS TEXT) LIKE $2 ESCAPE '\\' ORDER BY name LIMIT 20",
                      row_names_fn, agents, err, "ss", organization_id, pattern) < 0) {
        json_decref(agents);
        return -1;
    }
    *agents_r = agents;
    return 0;
}

#define SOURCE_FIELDS(F) F("source", "source", TEXT) F("manifest", "manifest", JSON)
static const struct field source_fields[] = {SOURCE_FIELDS(FIELD_ENTRY)};

int store_source_get(struct storage *storage, const char *sha256, json_t **source_r,
                     struct error *err)
{
    struct row_read read = {source_fields, countof(source_fields), 1, NULL};
    if (storage_query(
            storage, "SELECT 0" SOURCE_FIELDS(FIELD_COLUMN) " FROM skill_sources WHERE sha256 = $1",
            row_read_fn, &read, err, "s", sha256) < 0)
        return -1;
    *source_r = read.json;
    return 0;
}
