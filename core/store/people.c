#include "store/people.h"

#include "store/access.h"

#define ORGANIZATION_FIELDS(F)                                                                     \
    F("o.id", "id", TEXT)                                                                          \
    F("o.name", "name", TEXT)                                                                      \
    F("o.settings", "settings", JSON)                                                              \
    F("(SELECT m.role FROM memberships m WHERE m.organization_id = o.id AND m.user_id = $1)",      \
      "role", TEXT)                                                                                \
    F("o.revision", "revision", INT)                                                               \
    F("o.created_at", "createdAt", TIME)                                                           \
    F("o.updated_at", "updatedAt", TIME)
#define USER_FIELDS(F)                                                                             \
    F("u.id", "id", TEXT)                                                                          \
    F("u.name", "name", TEXT)                                                                      \
    F("u.email", "email", TEXT)                                                                    \
    F("u.kind", "kind", TEXT)                                                                      \
    F("m.role", "role", TEXT)                                                                      \
    F("m.created_at", "memberSince", TIME)                                                         \
    F("u.revision", "revision", INT)                                                               \
    F("u.created_at", "createdAt", TIME)                                                           \
    F("u.updated_at", "updatedAt", TIME)
static const struct field organization_fields[] = {ORGANIZATION_FIELDS(FIELD_ENTRY)};
static const struct field user_fields[] = {USER_FIELDS(FIELD_ENTRY)};

static const struct list_sort organization_sorts[] = {{"name", "o.name", SORT_TEXT}};
const struct list store_organization_list = {
    .name = "organizations",
    .columns = ORGANIZATION_FIELDS(FIELD_COLUMN),
    .from = " FROM organizations o WHERE ($2 = 1 OR EXISTS (SELECT 1 FROM memberships f"
            " WHERE f.organization_id = o.id AND f.user_id = $1))",
    .n_scope = 2,
    .id = "o.id",
    .default_sort = "name",
    LIST_SORTS(organization_sorts),
    LIST_FIELDS(organization_fields),
};

static const struct list_sort user_sorts[] = {{"name", "u.name", SORT_TEXT},
                                              {"createdAt", "u.id", SORT_TEXT}};
static const struct list_filter user_filters[] = {
    {"role", FILTER_TEXT, "owner|admin|member|viewer", "m.role = ?"},
    {"kind", FILTER_TEXT, "person|service", "u.kind = ?"},
    {"email", FILTER_TEXT, NULL, "u.email = ?"},
    {"name", FILTER_TEXT, NULL, "u.name = ?"},
    {"text", FILTER_CONTAINS, NULL,
     "LOWER(u.name) LIKE LOWER(?) ESCAPE '\\' OR LOWER(u.email) LIKE LOWER(?) ESCAPE '\\'"},
};
const struct list store_user_list = {
    .name = "users",
    .columns = USER_FIELDS(FIELD_COLUMN),
    .from = " FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.organization_id = $1",
    .n_scope = 1,
    .id = "u.id",
    .default_sort = "createdAt",
    LIST_SORTS(user_sorts),
    LIST_FILTERS(user_filters),
    LIST_FIELDS(user_fields),
};

/* ---- organizations ---- */

void store_organization_insert(struct storage_batch *batch, const struct organization_row *row)
{
    storage_batch_add(batch,
                      "INSERT INTO organizations (id, name, settings, created_at, updated_at)"
                      " VALUES ($1, $2, $3, $4, $4)",
                      1, NULL, NULL, "sssi", row->id, row->name, row->settings, row->at);
}

void store_organization_update(struct storage_batch *batch, const struct organization_row *row)
{
    storage_batch_add(batch,
                      "UPDATE organizations SET name = $2, settings = $3, updated_at = $4,"
                      " revision = revision + 1 WHERE id = $1",
                      1, NULL, NULL, "sssi", row->id, row->name, row->settings, row->at);
}

struct running_read {
    void (*fn)(void *arg, const char *id, int64_t limit);
    void *arg;
};

static int running_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    const struct running_read *read = arg;
    read->fn(read->arg, v[0].u.s, v[1].u.i);
    return 0;
}

int store_organization_running_each(struct storage *storage,
                                    void (*fn)(void *arg, const char *id, int64_t limit), void *arg,
                                    struct error *err)
{
    struct running_read read = {fn, arg};
    return storage_query(storage,
                         "SELECT id, CAST(settings->>'maxRunning' AS BIGINT) FROM organizations"
                         " WHERE settings->>'maxRunning' IS NOT NULL",
                         running_row, &read, err, "");
}

void store_organization_delete(struct storage_batch *batch, const char *id, int64_t at)
{
    storage_batch_add(batch,
                      "UPDATE organizations SET updated_at = updated_at WHERE id = $1"
                      " AND NOT EXISTS (SELECT 1 FROM agents a WHERE a.organization_id = $1)",
                      1, NULL, NULL, "s", id);
    storage_batch_add(batch,
                      "DELETE FROM organizations WHERE id = $1 AND NOT EXISTS (SELECT 1"
                      " FROM instance i WHERE i.key = 'organization' AND i.value = $1)",
                      1, NULL, NULL, "s", id);
    storage_batch_add(batch,
                      "DELETE FROM identities WHERE NOT EXISTS (SELECT 1 FROM memberships m"
                      " WHERE m.user_id = identities.user_id)",
                      -1, NULL, NULL, "");
    storage_batch_add(batch,
                      "UPDATE users SET removed_at = $1, email = NULL WHERE removed_at IS NULL"
                      " AND NOT EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = users.id)",
                      -1, NULL, NULL, "i", at);
}

int store_organization_get(struct storage *storage, const char *id, const char *user_id,
                           json_t **organization_r, struct error *err)
{
    struct row_read read = {organization_fields, countof(organization_fields), 1, NULL};
    if (storage_query(
            storage,
            "SELECT 0" ORGANIZATION_FIELDS(FIELD_COLUMN) " FROM organizations o WHERE o.id = $2",
            row_read_fn, &read, err, "ss", user_id, id) < 0)
        return -1;
    *organization_r = read.json;
    return 0;
}

int store_organization_find(struct storage *storage, const char *ref, char id_r[UUID_SIZE],
                            struct error *err)
{
    id_r[0] = '\0';
    if (storage_query(storage,
                      "SELECT o.id FROM organizations o WHERE o.id = $1"
                      " UNION ALL SELECT o.id FROM organizations o WHERE o.name = $1",
                      row_uuid_fn, id_r, err, "s", ref) < 0)
        return -1;
    return id_r[0] != '\0' ? 0 : 1;
}

/* ---- users ---- */

void store_user_insert(struct storage_batch *batch, const struct user_row *row)
{
    storage_batch_add(batch,
                      "INSERT INTO users (id, name, email, kind, created_at, updated_at)"
                      " VALUES ($1, $2, $3, $4, $5, $5)",
                      1, NULL, NULL, "ssssi", row->id, row->name, row->email, row->kind, row->at);
}

void store_user_update(struct storage_batch *batch, const struct user_row *row)
{
    storage_batch_add(batch,
                      "UPDATE users SET name = $2, email = $3, updated_at = $4,"
                      " revision = revision + 1 WHERE id = $1",
                      1, NULL, NULL, "sssi", row->id, row->name, row->email, row->at);
}

void store_user_limit(struct storage_batch *batch, const char *organization_id, int64_t max)
{
    storage_batch_add(batch,
                      "UPDATE organizations SET updated_at = updated_at WHERE id = $1"
                      " AND (SELECT COUNT(*) FROM memberships WHERE organization_id = $1)"
                      " < " ORGANIZATION_LIMIT("maxUsers", "$2"),
                      1, NULL, NULL, "si", organization_id, max);
}

void store_member_insert(struct storage_batch *batch, const char *organization_id,
                         const char *user_id, const char *role, int64_t at)
{
    storage_batch_add(batch,
                      "INSERT INTO memberships (organization_id, user_id, role, created_at)"
                      " VALUES ($1, $2, $3, $4)",
                      1, NULL, NULL, "sssi", organization_id, user_id, role, at);
}

/* Writes the organization's row: looking for another owner and what follows are one step for all
 * writers. A member sees his role as part of it, so that another role is another revision. */
static void another_owner(struct storage_batch *batch, const char *organization_id,
                          const char *user_id, const char *role)
{
    storage_batch_add(batch,
                      "UPDATE organizations SET revision = revision + (SELECT COUNT(*)"
                      " FROM memberships m WHERE m.organization_id = $1 AND m.user_id = $2"
                      " AND m.role <> $3) WHERE id = $1"
                      " AND ($3 = 'owner' OR EXISTS (SELECT 1 FROM memberships m"
                      " WHERE m.organization_id = $1 AND m.role = 'owner' AND m.user_id <> $2))",
                      1, NULL, NULL, "sss", organization_id, user_id, role);
}

void store_member_role_set(struct storage_batch *batch, const char *organization_id,
                           const char *user_id, const char *role)
{
    another_owner(batch, organization_id, user_id, role);
    storage_batch_add(
        batch, "UPDATE memberships SET role = $3 WHERE organization_id = $1 AND user_id = $2", 1,
        NULL, NULL, "sss", organization_id, user_id, role);
}

static void hand_over(struct storage_batch *batch, const char *organization_id, const char *user_id,
                      const char *heir, const char *rest_heir)
{
    static const char *const rest[] = {
        "UPDATE personas SET user_id = $3 WHERE organization_id = $1 AND user_id = $2",
        "UPDATE skills SET user_id = $3 WHERE organization_id = $1 AND user_id = $2",
        "UPDATE agent_chains SET user_id = $3 WHERE organization_id = $1 AND user_id = $2",
        ("UPDATE scheduled_executions SET created_by = $3 WHERE created_by = $2 AND agent_id IN"
         " (SELECT a.id FROM agents a WHERE a.organization_id = $1)"),
        "UPDATE hook_endpoints SET created_by = $3 WHERE organization_id = $1 AND created_by = $2",
        "UPDATE event_triggers SET user_id = $3 WHERE organization_id = $1 AND user_id = $2",
    };
    if (heir != NULL) {
        storage_batch_add(
            batch, "UPDATE agents SET user_id = $3 WHERE organization_id = $1 AND user_id = $2", -1,
            NULL, NULL, "sss", organization_id, user_id, heir);
        storage_batch_add(batch,
                          ACCESS_FORGET("a.organization_id = $1 AND a.user_id = $2"
                                        " AND a.visibility = 'team'"),
                          -1, NULL, NULL, "ss", organization_id, heir);
        storage_batch_add(batch,
                          ACCESS_REMEMBER("a.organization_id = $1 AND a.user_id = $2"
                                          " AND a.visibility = 'team'"),
                          -1, NULL, NULL, "ss", organization_id, heir);
    }
    for (size_t i = 0; i < countof(rest); i++)
        storage_batch_add(batch, rest[i], -1, NULL, NULL, "sss", organization_id, user_id,
                          heir != NULL ? heir : rest_heir);
}

void store_member_remove(struct storage_batch *batch, const char *organization_id,
                         const char *user_id, const char *heir, const char *rest_heir, int64_t at)
{
    static const char *const statements[] = {
        "UPDATE teams SET revision = revision + 1 WHERE organization_id = $1 AND id IN"
        " (SELECT m.team_id FROM team_members m WHERE m.user_id = $2)",
        "DELETE FROM team_members WHERE user_id = $2 AND team_id IN"
        " (SELECT t.id FROM teams t WHERE t.organization_id = $1)",
        "DELETE FROM agent_permissions WHERE user_id = $2 AND agent_id IN"
        " (SELECT a.id FROM agents a WHERE a.organization_id = $1)",
        "DELETE FROM agent_audience WHERE audience_id = $2 AND agent_id IN"
        " (SELECT a.id FROM agents a WHERE a.organization_id = $1)",
        "DELETE FROM tokens WHERE organization_id = $1 AND user_id = $2",
    };
    another_owner(batch, organization_id, user_id, "");
    storage_batch_add(batch,
                      "UPDATE organizations SET updated_at = updated_at WHERE id = $1"
                      " AND ($3 = 1 OR NOT EXISTS (SELECT 1 FROM agents a"
                      " WHERE a.organization_id = $1 AND a.user_id = $2))",
                      1, NULL, NULL, "ssi", organization_id, user_id, (int64_t)(heir != NULL));
    storage_batch_add(batch, "DELETE FROM memberships WHERE organization_id = $1 AND user_id = $2",
                      1, NULL, NULL, "ss", organization_id, user_id);
    for (size_t i = 0; i < countof(statements); i++)
        storage_batch_add(batch, statements[i], -1, NULL, NULL, "ss", organization_id, user_id);
    storage_batch_add(batch, "UPDATE users SET revision = revision + 1 WHERE id = $1", -1, NULL,
                      NULL, "s", user_id);
    hand_over(batch, organization_id, user_id, heir, rest_heir);
    storage_batch_add(batch,
                      "DELETE FROM identities WHERE user_id = $1 AND NOT EXISTS"
                      " (SELECT 1 FROM memberships m WHERE m.user_id = $1)",
                      -1, NULL, NULL, "s", user_id);
    storage_batch_add(batch,
                      "UPDATE users SET removed_at = $2, email = NULL WHERE id = $1 AND NOT EXISTS"
                      " (SELECT 1 FROM memberships m WHERE m.user_id = $1)",
                      -1, NULL, NULL, "si", user_id, at);
}

struct user_read {
    struct row_read row;
    struct user_meta *meta;
};

static int user_row(void *arg, const struct c9d_value *v, size_t n)
{
    struct user_read *read = arg;
    row_text_into(&v[0], read->meta->id, UUID_SIZE);
    row_text_into(&v[1], read->meta->role, sizeof(read->meta->role));
    row_text_into(&v[2], read->meta->kind, sizeof(read->meta->kind));
    read->meta->organizations = v[3].u.i;
    return n > 4 ? row_read_fn(&read->row, v, n) : 1;
}

int store_user_get(struct storage *storage, const char *organization_id, const char *id,
                   struct user_meta *meta_r, json_t **user_r, struct error *err)
{
    struct user_read read = {{user_fields, countof(user_fields), 4, NULL}, meta_r};
    meta_r->id[0] = '\0';
    if (storage_query(storage,
                      "SELECT u.id, m.role, u.kind,"
                      " (SELECT COUNT(*) FROM memberships c WHERE c.user_id = u.id)" USER_FIELDS(
                          FIELD_COLUMN) " FROM memberships m JOIN users u ON u.id = m.user_id"
                                        " WHERE m.organization_id = $1 AND m.user_id = $2",
                      user_row, &read, err, "ss", organization_id, id) < 0)
        return -1;
    *user_r = read.row.json;
    return 0;
}

int store_user_by_email(struct storage *storage, const char *email, struct user_meta *meta_r,
                        struct error *err)
{
    struct user_read read = {.meta = meta_r};
    meta_r->id[0] = '\0';
    return storage_query(storage,
                         "SELECT u.id, '', u.kind,"
                         " (SELECT COUNT(*) FROM memberships c WHERE c.user_id = u.id)"
                         " FROM users u WHERE u.email = $1",
                         user_row, &read, err, "s", email);
}

int store_user_agents(struct storage *storage, const char *organization_id, const char *id,
                      json_t **agents_r, struct error *err)
{
    *agents_r = json_array();
    return storage_query(storage,
                         "SELECT a.id, a.name FROM agents a WHERE a.organization_id = $1"
                         " AND a.user_id = $2 ORDER BY a.created_at, a.id LIMIT 20",
                         row_names_fn, *agents_r, err, "ss", organization_id, id);
}

/* ---- identities ---- */

struct identity_read {
    char *user_id, *role;
};

static int identity_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    struct identity_read *read = arg;
    row_text_into(&v[0], read->user_id, UUID_SIZE);
    row_text_into(&v[1], read->role, 8);
    return 1;
}

int store_identity_get(struct storage *storage, const char *issuer, const char *subject,
                       const char *organization_id, char user_id_r[UUID_SIZE], char role_r[8],
                       struct error *err)
{
    struct identity_read read = {user_id_r, role_r};
    user_id_r[0] = role_r[0] = '\0';
    if (storage_query(storage,
                      "SELECT i.user_id, m.role FROM identities i LEFT JOIN memberships m"
                      " ON m.user_id = i.user_id AND m.organization_id = $3"
                      " WHERE i.issuer = $1 AND i.subject = $2",
                      identity_row, &read, err, "sss", issuer, subject, organization_id) < 0)
        return -1;
    return user_id_r[0] != '\0' ? 0 : 1;
}

void store_identity_insert(struct storage_batch *batch, const char *issuer, const char *subject,
                           const char *user_id, int64_t at)
{
    storage_batch_add(batch,
                      "INSERT INTO identities (issuer, subject, user_id, created_at)"
                      " VALUES ($1, $2, $3, $4)",
                      1, NULL, NULL, "sssi", issuer, subject, user_id, at);
}
