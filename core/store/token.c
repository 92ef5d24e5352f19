#include "store/token.h"

#define TOKEN_FIELDS(F)                                                                            \
    F("t.id", "id", TEXT)                                                                          \
    F("t.name", "name", TEXT)                                                                      \
    F("t.scopes", "scopes", JSON)                                                                  \
    F("t.user_id", "userId", TEXT)                                                                 \
    F("t.organization_id", "organizationId", TEXT)                                                 \
    F("t.rotated_to", "rotatedTo", TEXT)                                                           \
    F("t.expires_at", "expiresAt", TIME)                                                           \
    F("t.revoked_at", "revokedAt", TIME)                                                           \
    F("t.last_used_at", "lastUsedAt", TIME)                                                        \
    F("t.created_at", "createdAt", TIME)
static const struct field fields[] = {TOKEN_FIELDS(FIELD_ENTRY)};

/* Ids are UUIDv7, so their order is the order of creation. */
static const struct list_sort sorts[] = {{"createdAt", "t.id", SORT_TEXT}};

static const struct list_filter filters[] = {
    {"userId", FILTER_ID, NULL, "t.user_id = ?"},
};

const struct list store_token_list = {
    .name = "tokens",
    .columns = TOKEN_FIELDS(FIELD_COLUMN),
    .from = " FROM tokens t WHERE t.organization_id = $1 AND (t.user_id = $2 OR $3 = 1)",
    .n_scope = 3,
    .id = "t.id",
    .default_sort = "-createdAt",
    LIST_SORTS(sorts),
    LIST_FILTERS(filters),
    LIST_FIELDS(fields),
};

void store_token_insert(struct storage_batch *batch, const struct token_row *row)
{
    storage_batch_add(batch,
                      "INSERT INTO tokens (id, name, hash, user_id, organization_id, scopes,"
                      " expires_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                      1, NULL, NULL, "ssssssIi", row->id, row->name, row->hash, row->user_id,
                      row->organization_id, row->scopes,
                      row->expires_at != 0 ? &row->expires_at : NULL, row->created_at);
}

void store_token_revoke(struct storage_batch *batch, const char *id, int64_t at)
{
    storage_batch_add(batch,
                      "UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL", 1,
                      NULL, NULL, "si", id, at);
}

void store_token_end(struct storage_batch *batch, const char *id, const char *successor, int64_t at)
{
    storage_batch_add(batch,
                      "UPDATE tokens SET rotated_to = $3, expires_at = CASE WHEN expires_at < $2"
                      " THEN expires_at ELSE $2 END"
                      " WHERE id = $1 AND revoked_at IS NULL AND rotated_to IS NULL",
                      1, NULL, NULL, "sis", id, at, successor);
}

void store_token_used(struct storage_batch *batch, const char *id, int64_t at)
{
    storage_batch_add(batch,
                      "UPDATE tokens SET last_used_at = $2 WHERE id = $1"
                      " AND (last_used_at IS NULL OR last_used_at < $2)",
                      -1, NULL, NULL, "si", id, at);
}

struct owner_read {
    struct token_owner *owner;
    bool found;
};

static int owner_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    struct owner_read *read = arg;
    struct token_owner *owner = read->owner;
    read->found = true;
    row_text_into(&v[0], owner->id, sizeof(owner->id));
    row_text_into(&v[1], owner->user_id, sizeof(owner->user_id));
    row_text_into(&v[2], owner->organization_id, sizeof(owner->organization_id));
    row_text_into(&v[3], owner->role, sizeof(owner->role));
    row_text_into(&v[4], owner->scopes, sizeof(owner->scopes));
    owner->expires_at = v[5].type == C9D_INT ? v[5].u.i : 0;
    owner->last_used_at = v[6].type == C9D_INT ? v[6].u.i : 0;
    return 1;
}

int store_token_owner(struct storage *storage, const char *hash, struct token_owner *owner_r,
                      struct error *err)
{
    struct owner_read read = {owner_r, false};
    if (storage_query(storage,
                      "SELECT t.id, t.user_id, t.organization_id, m.role, t.scopes, t.expires_at,"
                      " t.last_used_at FROM tokens t JOIN memberships m"
                      " ON m.organization_id = t.organization_id AND m.user_id = t.user_id"
                      " WHERE t.hash = $1 AND t.revoked_at IS NULL",
                      owner_row, &read, err, "s", hash) < 0)
        return -1;
    return read.found ? 0 : 1;
}

int store_token_get(struct storage *storage, const char *id, const char *organization_id,
                    json_t **token_r, struct error *err)
{
    struct row_read read = {fields, countof(fields), 1, NULL};
    if (storage_query(storage,
                      "SELECT 0" TOKEN_FIELDS(
                          FIELD_COLUMN) " FROM tokens t WHERE t.id = $1 AND t.organization_id = $2",
                      row_read_fn, &read, err, "ss", id, organization_id) < 0)
        return -1;
    *token_r = read.json;
    return 0;
}

struct role_read {
    char *role;
    bool found;
};

static int role_row(void *arg, const struct c9d_value *v, size_t n)
{
    (void)n;
    struct role_read *read = arg;
    row_text_into(&v[0], read->role, 8);
    read->found = true;
    return 1;
}

int store_member_role(struct storage *storage, const char *organization_id, const char *user_id,
                      char role_r[8], struct error *err)
{
    struct role_read read = {role_r, false};
    if (storage_query(storage,
                      "SELECT role FROM memberships WHERE organization_id = $1 AND user_id = $2",
                      role_row, &read, err, "ss", organization_id, user_id) < 0)
        return -1;
    return read.found ? 0 : 1;
}

void store_owner_insert(struct storage_batch *batch, const struct owner_row *row)
{
    storage_batch_add(batch, "INSERT INTO instance (key, value) VALUES ($1, $2), ($3, $4)", 2, NULL,
                      NULL, "ssss", STORE_OWNER, row->user_id, STORE_ORGANIZATION,
                      row->organization_id);
    storage_batch_add(batch,
                      "INSERT INTO organizations (id, name, created_at, updated_at)"
                      " VALUES ($1, $2, $3, $3)",
                      1, NULL, NULL, "ssi", row->organization_id, row->organization_name, row->at);
    storage_batch_add(
        batch, "INSERT INTO users (id, name, created_at, updated_at) VALUES ($1, $2, $3, $3)", 1,
        NULL, NULL, "ssi", row->user_id, row->user_name, row->at);
    storage_batch_add(batch,
                      "INSERT INTO memberships (organization_id, user_id, role, created_at)"
                      " VALUES ($1, $2, 'owner', $3)",
                      1, NULL, NULL, "ssi", row->organization_id, row->user_id, row->at);
}
