#include "service/token.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "host/storage.h"
#include "service/audit.h"
#include "service/identity.h"
#include "service/jwt.h"
#include "service/problem.h"
#include "service/service-private.h"
#include "service/token_cache.h"
#include "store/people.h"
#include "store/store.h"
#include "store/token.h"

#define TOKEN_PREFIX "c9d_"
enum { TOKEN_RANDOM = 32, SCOPES_MAX = SCOPE_COUNT_ + PRINCIPAL_AGENTS_MAX };

/* ---- scopes ---- */

static const char *const scope_names[SCOPE_COUNT_] = {
    [SCOPE_ADMIN] = "admin",
    [SCOPE_AGENTS_READ] = "agents:read",
    [SCOPE_AGENTS_WRITE] = "agents:write",
    [SCOPE_AGENTS_EXECUTE] = "agents:execute",
    [SCOPE_EXECUTIONS_READ] = "executions:read",
    [SCOPE_SKILLS_READ] = "skills:read",
    [SCOPE_SKILLS_WRITE] = "skills:write",
    [SCOPE_USAGE_READ] = "usage:read",
};

const char *scope_name(enum scope scope)
{
    return scope_names[scope];
}

int scope_by_name(const char *name)
{
    for (int i = 0; i < SCOPE_COUNT_; i++)
        if (strcmp(scope_names[i], name) == 0)
            return i;
    return -1;
}

bool scope_has(const struct principal *who, enum scope scope)
{
    return (who->scopes & (UINT64_C(1) << SCOPE_ADMIN | UINT64_C(1) << scope)) != 0;
}

int scope_require(const struct principal *who, enum scope scope, struct error *err)
{
    if (scope_has(who, scope))
        return 0;
    error_set(err, E_AGENT_ACCESS_DENIED, "the token lacks the scope %s", scope_name(scope));
    error_detail(err, "requiredScope", json_string(scope_name(scope)));
    return -1;
}

/* The agent of agents:execute:<agentId>, or NULL. */
static const char *scope_agent(const char *name)
{
    static const char prefix[] = "agents:execute:";
    size_t len = strlen(prefix);
    if (strncmp(name, prefix, len) != 0 || !uuid_valid(name + len, strlen(name + len)))
        return NULL;
    return name + len;
}

/* Names that this program does not know (any more) give nothing. */
void token_scopes_take(const json_t *names, struct principal *who)
{
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        int scope = name != NULL ? scope_by_name(name) : -1;
        const char *agent = name != NULL ? scope_agent(name) : NULL;
        if (scope >= 0)
            who->scopes |= UINT64_C(1) << scope;
        else if (agent != NULL && who->n_agents < PRINCIPAL_AGENTS_MAX)
            memcpy(who->agents[who->n_agents++], agent, UUID_SIZE);
    }
}

json_t *token_scopes(const struct principal *who)
{
    json_t *names = json_array();
    for (int i = 0; i < SCOPE_COUNT_; i++)
        if ((who->scopes >> i & 1) != 0)
            json_array_append_new(names, json_string(scope_names[i]));
    for (size_t i = 0; i < who->n_agents; i++)
        json_array_append_new(names, json_sprintf("agents:execute:%s", who->agents[i]));
    return names;
}

/* ---- authentication ---- */

static void used_done(void *arg, struct error *err)
{
    (void)arg;
    if (err != NULL)
        log_warn("token.used", "last use of a token was not written: %s", err->message);
}

static void used_write(struct service *service, const char *id, int64_t now)
{
    int64_t minute = 60 * CLOCK_SECOND;
    struct storage_batch *batch = storage_batch_new();
    store_token_used(batch, id, now / minute * minute);
    storage_submit(service->storage, batch, used_done, NULL);
}

static int refused(struct error *err)
{
    return error_set(err, E_AUTHENTICATION_REQUIRED,
                     "the bearer token is not known, has expired, or was revoked");
}

static int authenticate_stored(struct service *service, const uint8_t hash[SHA256_SIZE],
                               int64_t now, struct principal *principal_r, struct error *err)
{
    char hex[SHA256_HEX_SIZE];
    struct token_owner owner;
    uint64_t generation = token_cache_generation(service->tokens);
    int found = store_token_owner(service->storage, hash_hex(hash, SHA256_SIZE, hex), &owner, err);
    if (found < 0)
        return -1;
    if (found != 0 || (owner.expires_at != 0 && owner.expires_at <= now))
        return refused(err);
    struct principal who = {0};
    jx_auto *scopes = json_loads(owner.scopes, 0, NULL);
    token_scopes_take(scopes, &who);
    memcpy(who.token_id, owner.id, sizeof(who.token_id));
    memcpy(who.user_id, owner.user_id, sizeof(who.user_id));
    memcpy(who.organization_id, owner.organization_id, sizeof(who.organization_id));
    memcpy(who.role, owner.role, sizeof(who.role));
    token_cache_put(service->tokens, hash, now, &who, owner.expires_at, generation);
    if (owner.last_used_at < now - now % (60 * CLOCK_SECOND))
        used_write(service, who.token_id, now);
    *principal_r = who;
    return 0;
}

/* A JWT of an identity provider. */
static int authenticate_foreign(struct service *service, const char *token, size_t len,
                                struct principal *principal_r, struct error *err)
{
    uint8_t hash[SHA256_SIZE];
    int64_t now = clock_wall_us(), expires_at = 0;
    bool due;
    if (service->identities == NULL || len > JWT_SIZE_MAX)
        return refused(err);
    hash_sha256(token, len, hash);
    if (token_cache_get(service->tokens, hash, now, principal_r, &due))
        return 0;
    uint64_t generation = token_cache_generation(service->tokens);
    if (identities_authenticate(service->identities, service, token, len, now, principal_r,
                                &expires_at, err) < 0)
        return -1;
    token_cache_put(service->tokens, hash, now, principal_r, expires_at, generation);
    return 0;
}

int token_authenticate(struct service *service, const char *token, size_t len,
                       struct principal *principal_r, struct error *err)
{
    if (jwt_looks_like(token, len))
        return authenticate_foreign(service, token, len, principal_r, err);
    if (len != TOKEN_SIZE - 1 || memcmp(token, TOKEN_PREFIX, strlen(TOKEN_PREFIX)) != 0)
        return refused(err);
    uint8_t hash[SHA256_SIZE];
    hash_sha256(token, len, hash);
    int64_t now = clock_wall_us();
    bool due = false;
    if (!token_cache_get(service->tokens, hash, now, principal_r, &due))
        return authenticate_stored(service, hash, now, principal_r, err);
    if (due)
        used_write(service, principal_r->token_id, now);
    return 0;
}

/* ---- making ---- */

/* Fills the secret and adds its row. */
static void token_add(struct storage_batch *batch, struct token_row *row, char token_r[TOKEN_SIZE])
{
    uint8_t random[TOKEN_RANDOM];
    char hash[SHA256_HEX_SIZE];
    hash_random(random, sizeof(random));
    memcpy(token_r, TOKEN_PREFIX, strlen(TOKEN_PREFIX));
    hash_base64url(random, sizeof(random), token_r + strlen(TOKEN_PREFIX));
    row->hash = hash_sha256_hex(token_r, TOKEN_SIZE - 1, hash);
    uuid_make(row->id);
    store_token_insert(batch, row);
    row->hash = NULL;
}

/* Whether somebody who has these scopes may give this one on. */
static int scope_given(const struct principal *who, int scope, const char *agent, struct error *err)
{
    if (agent == NULL)
        return scope_require(who, (enum scope)scope, err);
    for (size_t i = 0; i < who->n_agents; i++)
        if (strcmp(who->agents[i], agent) == 0)
            return 0;
    return scope_require(who, SCOPE_AGENTS_EXECUTE, err);
}

/* One scope of the body. */
static int scope_check(const struct principal *who, const char *name, const char *path,
                       json_t *names, json_t *problems, struct error *err)
{
    int scope = scope_by_name(name);
    const char *agent = scope_agent(name);
    if (scope < 0 && agent == NULL) {
        problem_unknown(problems, path, "scope", name, scope_names, SCOPE_COUNT_);
        return 0;
    }
    if (scope_given(who, scope, agent, err) < 0)
        return error_wrap(err, "a token gives only scopes that it has");
    json_object_set_new(names, name, json_true());
    return 0;
}

/* The scopes of the body, each once, as the store keeps them. */
static int scopes_check(const struct principal *who, const json_t *given, json_t *problems,
                        json_t **scopes_r, struct error *err)
{
    jx_auto *names = json_object();
    if (json_array_size(given) == 0)
        problem_add(problems, "/scopes", "must be an array of at least one scope");
    if (json_array_size(given) > SCOPES_MAX)
        problem_add(problems, "/scopes", "must have at most %d", SCOPES_MAX);
    for (size_t i = 0; i < json_array_size(given) && i < SCOPES_MAX; i++) {
        char path[32];
        snprintf(path, sizeof(path), "/scopes/%zu", i);
        const char *name = json_string_value(json_array_get(given, i));
        if (scope_check(who, name != NULL ? name : "", path, names, problems, err) < 0)
            return -1;
    }
    *scopes_r = json_array();
    const char *name;
    json_t *value;
    size_t n_agents = 0;
    json_object_foreach (names, name, value) {
        n_agents += scope_agent(name) != NULL;
        json_array_append_new(*scopes_r, json_string(name));
    }
    if (n_agents > PRINCIPAL_AGENTS_MAX)
        problem_add(problems, "/scopes", "must be for at most %d single agents",
                    PRINCIPAL_AGENTS_MAX);
    return 0;
}

static void expiry_check(const json_t *given, json_t *problems, int64_t *expires_r)
{
    if (given == NULL || json_is_null(given))
        return;
    const char *text = json_string_value(given);
    if (text == NULL || clock_parse_rfc3339(text, json_string_length(given), expires_r) < 0)
        problem_add(problems, "/expiresAt",
                    "must be an RFC 3339 time such as 2026-01-31T12:00:00Z");
    else if (*expires_r <= clock_wall_us())
        problem_add(problems, "/expiresAt", "lies in the past");
}

/* Whom, and in which organization, the new token is for; role_r: there. */
static int holder_check(struct service *service, const struct principal *who, const char *user_id,
                        const char *organization_id, struct error *err)
{
    struct user_meta meta;
    jx_auto *user = NULL;
    if (store_user_get(service->storage, organization_id, user_id, &meta, &user, err) < 0)
        return -1;
    bool self = strcmp(user_id, who->user_id) == 0;
    bool here = strcmp(organization_id, who->organization_id) == 0;
    if (user == NULL)
        return self ? error_set(err, E_ORGANIZATION_NOT_FOUND,
                                "organizationId: you are not a member of organization %.64s",
                                organization_id)
                    : error_set(err, E_USER_NOT_FOUND, "userId: no user %.64s in the organization",
                                user_id);
    if (self)
        return 0;
    if (!here || strcmp(meta.kind, "service") != 0)
        return error_set(
            err, E_INSUFFICIENT_PERMISSIONS,
            "tokens are made for oneself, and for service accounts of the organization");
    if (permission_admin(who, "make tokens for service accounts", err) < 0)
        return -1;
    if (permission_role_rank(meta.role) > permission_role_rank(who->role))
        return error_set(err, E_INSUFFICIENT_PERMISSIONS,
                         "the service account is %s, which is more than you are", meta.role);
    return 0;
}

static int token_make(struct service *service, const struct principal *who, struct token_row *row,
                      const char *rotated, int64_t ends, const json_t *body, json_t **token_r,
                      struct error *err)
{
    const struct conflict conflicts[] = {
        {1, E_INVALID_STATE, "the token was revoked, or has been rotated already"},
        {-1, E_NONE, NULL}};
    char token[TOKEN_SIZE];
    row->created_at = clock_wall_us();
    struct storage_batch *batch = storage_batch_new();
    token_add(batch, row, token);
    if (rotated != NULL)
        store_token_end(batch, rotated, row->id, ends);
    audit_change(service, batch, who, "token", row->id, NULL, body);
    if (service_commit(service, batch, conflicts, err) < 0 ||
        store_token_get(service->storage, row->id, row->organization_id, token_r, err) < 0)
        return -1;
    if (*token_r == NULL)
        return error_set(err, E_TOKEN_NOT_FOUND, "token %s was removed meanwhile", row->id);
    json_object_set_new(*token_r, "token", json_string(token));
    return 0;
}

int token_create(struct service *service, const struct principal *who, const json_t *body,
                 json_t **token_r, struct error *err)
{
    jx_auto *problems = json_array();
    jx_auto *scopes = NULL;
    struct token_row row = {.user_id = jx_str(body, "userId", who->user_id),
                            .organization_id = jx_str(body, "organizationId", who->organization_id),
                            .name = jx_str(body, "name", NULL)};
    service_name_check(body, problems);
    expiry_check(json_object_get(body, "expiresAt"), problems, &row.expires_at);
    if (scopes_check(who, json_object_get(body, "scopes"), problems, &scopes, err) < 0 ||
        problem_raise(problems, E_INVALID_REQUEST, "token", err) < 0 ||
        holder_check(service, who, row.user_id, row.organization_id, err) < 0)
        return -1;
    autofree char *scopes_text = jx_encode(scopes, NULL);
    row.scopes = scopes_text;
    return token_make(service, who, &row, NULL, 0, body, token_r, err);
}

/* ---- looking and revoking ---- */

int token_list(struct service *service, const struct principal *who, const struct list_query *query,
               json_t **page_r, struct error *err)
{
    const struct c9d_value scope[] = SCOPE_OF(who);
    return service_list(service, &store_token_list, query, scope, page_r, err);
}

/* One's own, whatever the role; nobody else's is visible but to those who see all. */
static int token_find(struct service *service, const struct principal *who, const char *id,
                      enum action action, json_t **token_r, struct error *err)
{
    jx_auto *token = NULL;
    if (store_token_get(service->storage, id, who->organization_id, &token, err) < 0)
        return -1;
    if (token == NULL)
        return permission_unseen(E_TOKEN_NOT_FOUND, "token", id, err);
    const char *owner = jx_str(token, "userId", "");
    /* A viewer, too, does what he wants with his own. */
    const struct resource resource = {
        .organization_id = who->organization_id, .owner_id = owner, .kind = RESOURCE_PRIVATE};
    if (permission_require(who, strcmp(owner, who->user_id) == 0 ? ACTION_READ : action, &resource,
                           E_TOKEN_NOT_FOUND, "token", id, err) < 0)
        return -1;
    *token_r = move_ptr(&token);
    return 0;
}

int token_get(struct service *service, const struct principal *who, const char *id,
              json_t **token_r, struct error *err)
{
    return token_find(service, who, id, ACTION_READ, token_r, err);
}

static int overlap_check(const struct service *service, const json_t *body, int64_t *overlap_r,
                         struct error *err)
{
    int64_t max = config_int(service->config, "auth", NULL, "rotation_overlap_max");
    const json_t *given = json_object_get(body, "overlapSeconds");
    *overlap_r = config_int(service->config, "auth", NULL, "rotation_overlap");
    if (given == NULL)
        return 0;
    *overlap_r = json_integer_value(given) * CLOCK_SECOND;
    if (!json_is_integer(given) || json_integer_value(given) < 0 ||
        json_integer_value(given) > max / CLOCK_SECOND)
        return error_set(err, E_INVALID_REQUEST,
                         "overlapSeconds: must be 0 to %lld ([auth] rotation_overlap_max)",
                         (long long)(max / CLOCK_SECOND));
    return 0;
}

int token_rotate(struct service *service, const struct principal *who, const char *id,
                 const json_t *body, json_t **token_r, struct error *err)
{
    jx_auto *token = NULL, *scopes = NULL;
    jx_auto *problems = json_array();
    int64_t overlap, now = clock_wall_us();
    if (token_find(service, who, id, ACTION_WRITE, &token, err) < 0 ||
        overlap_check(service, body, &overlap, err) < 0)
        return -1;
    const char *expires = jx_str(token, "expiresAt", NULL);
    struct token_row row = {.user_id = jx_str(token, "userId", ""),
                            .organization_id = who->organization_id,
                            .name = jx_str(token, "name", "")};
    if (expires != NULL)
        clock_parse_rfc3339(expires, strlen(expires), &row.expires_at);
    if (expires != NULL && row.expires_at <= now)
        return error_set(err, E_INVALID_STATE, "token %s has expired: create a new one", id);
    if (scopes_check(who, json_object_get(token, "scopes"), problems, &scopes, err) < 0 ||
        holder_check(service, who, row.user_id, row.organization_id, err) < 0)
        return -1;
    autofree char *text = jx_encode(scopes, NULL);
    row.scopes = text;
    jx_auto *change = json_pack("{s:s, s:I}", "rotates", id, "overlapSeconds",
                                (json_int_t)(overlap / CLOCK_SECOND));
    int result = token_make(service, who, &row, id, now + overlap, change, token_r, err);
    token_cache_drop(service->tokens, id);
    return result;
}

int token_revoke(struct service *service, const struct principal *who, const char *id,
                 struct error *err)
{
    jx_auto *token = NULL;
    if (token_find(service, who, id, ACTION_WRITE, &token, err) < 0)
        return -1;
    if (json_object_get(token, "revokedAt") != NULL) {
        audit_unchanged(who);
        return 0;
    }
    struct storage_batch *batch = storage_batch_new();
    store_token_revoke(batch, id, clock_wall_us());
    audit_change(service, batch, who, "token", id, token, NULL);
    error_auto failure = ERROR_INIT;
    int result = storage_commit(service->storage, batch, &failure);
    token_cache_drop(service->tokens, id);
    /* A conflict: somebody else has revoked it meanwhile. */
    return result == 0 || failure.code == E_INVALID_STATE ? 0 : error_move(err, &failure);
}

/* ---- the first one ---- */

static int owner_again(struct storage *storage, char **user_r, char **organization_r,
                       struct error *err)
{
    *user_r = store_instance_get(storage, STORE_OWNER, err);
    if (*user_r == NULL)
        return -1;
    *organization_r = store_instance_get(storage, STORE_ORGANIZATION, err);
    return *organization_r != NULL ? 0 : -1;
}

static void owner_new(struct storage_batch *batch, const char *organization, const char *user,
                      char **user_r, char **organization_r, int64_t at)
{
    *user_r = uuid_make(xmalloc(UUID_SIZE));
    *organization_r = uuid_make(xmalloc(UUID_SIZE));
    const struct owner_row row = {.organization_id = *organization_r,
                                  .organization_name = organization,
                                  .user_id = *user_r,
                                  .user_name = user,
                                  .at = at};
    store_owner_insert(batch, &row);
}

int token_init(struct storage *storage, const char *organization, const char *user, bool again,
               char token_r[TOKEN_SIZE], struct error *err)
{
    autofree char *user_id = NULL, *organization_id = NULL;
    if (again && owner_again(storage, &user_id, &organization_id, err) < 0)
        return -1;
    int64_t now = clock_wall_us();
    struct storage_batch *batch = storage_batch_new();
    if (!again)
        owner_new(batch, organization, user, &user_id, &organization_id, now);
    struct token_row row = {.name = again ? "admin (again)" : "admin",
                            .user_id = user_id,
                            .organization_id = organization_id,
                            .scopes = "[\"admin\"]",
                            .created_at = now};
    token_add(batch, &row, token_r);
    error_auto failure = ERROR_INIT;
    if (storage_commit(storage, batch, &failure) == 0)
        return 0;
    if (failure.code == E_INVALID_STATE && !again)
        return error_set(
            err, E_INVALID_STATE,
            "there is an owner already; to make another admin token for the same owner, "
            "say so (c9d init --again)");
    return error_move(err, &failure);
}
