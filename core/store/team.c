#include "store/team.h"

#include "store/access.h"

#define TEAM_FIELDS(F)                                                                             \
    F("t.id", "id", TEXT)                                                                          \
    F("t.organization_id", "organizationId", TEXT)                                                 \
    F("t.name", "name", TEXT)                                                                      \
    F("t.description", "description", TEXT)                                                        \
    F("(SELECT COUNT(*) FROM team_members m WHERE m.team_id = t.id)", "members", INT)              \
    F("t.revision", "revision", INT)                                                               \
    F("t.created_at", "createdAt", TIME)                                                           \
    F("t.updated_at", "updatedAt", TIME)
#define TEAM_MEMBER_FIELDS(F)                                                                      \
    F("m.user_id", "userId", TEXT)                                                                 \
    F("u.name", "name", TEXT)                                                                      \
    F("u.kind", "kind", TEXT)                                                                      \
    F("m.created_at", "createdAt", TIME)
#define GRANT_FIELDS(F)                                                                            \
    F("g.id", "id", TEXT)                                                                          \
    F("g.agent_id", "agentId", TEXT)                                                               \
    F("g.user_id", "userId", TEXT)                                                                 \
    F("g.team_id", "teamId", TEXT)                                                                 \
    F("g.permission_type", "permission", TEXT)                                                     \
    F("g.granted_by", "grantedBy", TEXT)                                                           \
    F("g.granted_at", "grantedAt", TIME)
static const struct field team_fields[] = {TEAM_FIELDS(FIELD_ENTRY)};
static const struct field team_member_fields[] = {TEAM_MEMBER_FIELDS(FIELD_ENTRY)};
static const struct field grant_fields[] = {GRANT_FIELDS(FIELD_ENTRY)};

/* ---- lists ---- */

static const struct list_sort team_sorts[] = {{"name", "t.name", SORT_TEXT},
                                              {"createdAt", "t.id", SORT_TEXT}};
static const struct list_filter team_filters[] = {
    {"name", FILTER_TEXT, NULL, "t.name = ?"},
    {"userId", FILTER_ID, NULL,
     "t.id IN (SELECT f.team_id FROM team_members f WHERE f.user_id = ?)"},
};
const struct list store_team_list = {
    .name = "teams",
    .columns = TEAM_FIELDS(FIELD_COLUMN),
    .from = " FROM teams t WHERE t.organization_id = $1",
    .n_scope = 1,
    .id = "t.id",
    .default_sort = "name",
    LIST_SORTS(team_sorts),
    LIST_FILTERS(team_filters),
    LIST_FIELDS(team_fields),
};

static const struct list_sort team_member_sorts[] = {{"userId", "m.user_id", SORT_TEXT}};
const struct list store_team_member_list = {
    .name = "teamMembers",
    .columns = TEAM_MEMBER_FIELDS(FIELD_COLUMN),
    .from = " FROM team_members m JOIN users u ON u.id = m.user_id WHERE m.team_id = $1",
    .n_scope = 1,
    .id = "m.user_id",
    .default_sort = "userId",
    LIST_SORTS(team_member_sorts),
    LIST_FIELDS(team_member_fields),
};

#define GRANT_FROM                                                                                 \
    " FROM (SELECT p.id, p.agent_id, p.user_id, CAST(NULL AS TEXT) AS team_id,"                    \
    " p.permission_type, p.granted_by, p.granted_at FROM agent_permissions p"                      \
    " UNION ALL SELECT t.id, t.agent_id, CAST(NULL AS TEXT), t.team_id, t.permission_type,"        \
    " t.granted_by, t.granted_at FROM agent_team_permissions t) g WHERE g.agent_id = $1"
static const struct list_sort grant_sorts[] = {{"grantedAt", "g.id", SORT_TEXT}};
const struct list store_grant_list = {
    .name = "grants",
    .columns = GRANT_FIELDS(FIELD_COLUMN),
    .from = GRANT_FROM,
    .n_scope = 1,
    .id = "g.id",
    .default_sort = "grantedAt",
    LIST_SORTS(grant_sorts),
    LIST_FIELDS(grant_fields),
};

/* ---- teams ---- */

void store_team_limit(struct storage_batch *batch, const char *organization_id, int64_t max)
{
    storage_batch_add(batch,
                      "UPDATE organizations SET updated_at = updated_at WHERE id = $1"
                      " AND (SELECT COUNT(*) FROM teams WHERE organization_id = $1)"
                      " < " ORGANIZATION_LIMIT("maxTeams", "$2"),
                      1, NULL, NULL, "si", organization_id, max);
}

void store_team_insert(struct storage_batch *batch, const struct team_row *row)
{
    storage_batch_add(batch,
                      "INSERT INTO teams (id, organization_id, name, description, created_at,"
                      " updated_at) VALUES ($1, $2, $3, $4, $5, $5)",
                      1, NULL, NULL, "ssssi", row->id, row->organization_id, row->name,
                      row->description, row->at);
}

void store_team_update(struct storage_batch *batch, const struct team_row *row)
{
    storage_batch_add(batch,
                      "UPDATE teams SET name = $3, description = $4, updated_at = $5,"
                      " revision = revision + 1 WHERE id = $1 AND organization_id = $2",
                      1, NULL, NULL, "ssssi", row->id, row->organization_id, row->name,
                      row->description, row->at);
}

void store_team_delete(struct storage_batch *batch, const char *id)
{
    storage_batch_add(batch, "DELETE FROM teams WHERE id = $1", 1, NULL, NULL, "s", id);
    storage_batch_add(batch, "DELETE FROM agent_audience WHERE audience_id = $1", -1, NULL, NULL,
                      "s", id);
}

void store_team_member_insert(struct storage_batch *batch, const char *id, const char *user_id,
                              int64_t at)
{
    storage_batch_add(batch,
                      "UPDATE teams SET revision = revision + 1 - (SELECT COUNT(*)"
                      " FROM team_members m WHERE m.team_id = $1 AND m.user_id = $2) WHERE id = $1"
                      " AND EXISTS (SELECT 1 FROM memberships m"
                      " WHERE m.organization_id = teams.organization_id AND m.user_id = $2)"
                      " AND (SELECT COUNT(*) FROM team_members m JOIN teams t ON t.id = m.team_id"
                      " WHERE m.user_id = $2 AND m.team_id <> $1"
                      " AND t.organization_id = teams.organization_id) < $3",
                      1, NULL, NULL, "ssi", id, user_id, (int64_t)STORE_TEAMS_MAX);
    storage_batch_add(batch,
                      "INSERT INTO team_members (team_id, user_id, created_at)"
                      " VALUES ($1, $2, $3) ON CONFLICT (team_id, user_id) DO NOTHING",
                      -1, NULL, NULL, "ssi", id, user_id, at);
    storage_batch_add(batch,
                      "INSERT INTO agent_audience (audience_id, agent_created_at, agent_id)"
                      " SELECT t.id, a.created_at, a.id FROM teams t JOIN agents a"
                      " ON a.organization_id = t.organization_id AND a.user_id = $2"
                      " AND a.visibility = 'team' WHERE t.id = $1"
                      " ON CONFLICT (audience_id, agent_created_at, agent_id) DO NOTHING",
                      -1, NULL, NULL, "ss", id, user_id);
}

void store_team_member_delete(struct storage_batch *batch, const char *id, const char *user_id)
{
    storage_batch_add(batch, "DELETE FROM team_members WHERE team_id = $1 AND user_id = $2", 1,
                      NULL, NULL, "ss", id, user_id);
    storage_batch_add(batch, "UPDATE teams SET revision = revision + 1 WHERE id = $1", 1, NULL,
                      NULL, "s", id);
    storage_batch_add(batch,
                      "DELETE FROM agent_audience WHERE audience_id = $1 AND agent_id IN"
                      " (SELECT a.id FROM agents a WHERE a.user_id = $2)"
                      " AND NOT EXISTS (SELECT 1 FROM agent_team_permissions p"
                      " WHERE p.team_id = $1 AND p.agent_id = agent_audience.agent_id)",
                      -1, NULL, NULL, "ss", id, user_id);
}

int store_team_get(struct storage *storage, const char *id, const char *organization_id,
                   json_t **team_r, struct error *err)
{
    struct row_read read = {team_fields, countof(team_fields), 1, NULL};
    if (storage_query(storage,
                      "SELECT 0" TEAM_FIELDS(
                          FIELD_COLUMN) " FROM teams t WHERE t.id = $1 AND t.organization_id = $2",
                      row_read_fn, &read, err, "ss", id, organization_id) < 0)
        return -1;
    *team_r = read.json;
    return 0;
}

struct teams_read {
    char (*teams)[UUID_SIZE];
    size_t n;
};

static int teams_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    struct teams_read *read = arg;
    row_text_into(&v[0], read->teams[read->n++], UUID_SIZE);
    return read->n == STORE_TEAMS_MAX;
}

int store_user_teams(struct storage *storage, const char *organization_id, const char *user_id,
                     char teams_r[STORE_TEAMS_MAX][UUID_SIZE], size_t *n_r, struct error *err)
{
    struct teams_read read = {teams_r, 0};
    if (storage_query(storage,
                      "SELECT m.team_id FROM team_members m JOIN teams t ON t.id = m.team_id"
                      " WHERE m.user_id = $2 AND t.organization_id = $1",
                      teams_row, &read, err, "ss", organization_id, user_id) < 0)
        return -1;
    *n_r = read.n;
    return 0;
}

/* ---- grants ---- */

void store_grant_insert(struct storage_batch *batch, const struct grant_row *row)
{
    storage_batch_add(
        batch,
        row->team_id != NULL
            ? "UPDATE agents SET revision = revision WHERE id = $1 AND EXISTS (SELECT 1 FROM teams t"
              " WHERE t.id = $2 AND t.organization_id = agents.organization_id)"
            : "UPDATE agents SET revision = revision WHERE id = $1 AND EXISTS (SELECT 1"
              " FROM memberships m WHERE m.user_id = $2"
              " AND m.organization_id = agents.organization_id)",
        1, NULL, NULL, "ss", row->agent_id, row->team_id != NULL ? row->team_id : row->user_id);
    storage_batch_add(
        batch,
        row->team_id != NULL
            ? "INSERT INTO agent_team_permissions (id, agent_id, team_id, permission_type,"
              " granted_by, granted_at) VALUES ($1, $2, $3, $4, $5, $6)"
              " ON CONFLICT (agent_id, team_id, permission_type) DO NOTHING"
            : "INSERT INTO agent_permissions (id, agent_id, user_id, permission_type,"
              " granted_by, granted_at) VALUES ($1, $2, $3, $4, $5, $6)"
              " ON CONFLICT (agent_id, user_id, permission_type) DO NOTHING",
        -1, NULL, NULL, "sssssi", row->id, row->agent_id,
        row->team_id != NULL ? row->team_id : row->user_id, row->permission, row->granted_by,
        row->at);
    store_agent_audience(batch, row->agent_id);
}

void store_grant_delete(struct storage_batch *batch, const char *agent_id, const char *id,
                        bool team)
{
    storage_batch_add(batch,
                      team ? "DELETE FROM agent_team_permissions WHERE agent_id = $1 AND id = $2"
                           : "DELETE FROM agent_permissions WHERE agent_id = $1 AND id = $2",
                      1, NULL, NULL, "ss", agent_id, id);
    store_agent_audience(batch, agent_id);
}

int store_grant_get(struct storage *storage, const struct grant_row *row, json_t **grant_r,
                    struct error *err)
{
    struct row_read read = {grant_fields, countof(grant_fields), 1, NULL};
    if (storage_query(storage,
                      "SELECT 0" GRANT_FIELDS(FIELD_COLUMN) GRANT_FROM
                      " AND ((g.id = $2) OR (g.permission_type = $3"
                      " AND (g.user_id = $4 OR g.team_id = $5)))",
                      row_read_fn, &read, err, "sssss", row->agent_id, row->id, row->permission,
                      row->user_id, row->team_id) < 0)
        return -1;
    *grant_r = read.json;
    return 0;
}
