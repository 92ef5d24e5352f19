#include "service/user.h"

#include <string.h>

#include "base/clock.h"
#include "host/storage.h"
#include "service/audit.h"
#include "service/problem.h"
#include "service/service-private.h"
#include "service/token.h"
#include "service/token_cache.h"
#include "store/people.h"
#include "store/revision.h"

enum { EMAIL_MAX = 320 };

static struct resource members_of(const struct principal *who, const char *owner)
{
    return (struct resource){.organization_id = who->organization_id, .owner_id = owner};
}

static int user_find(struct service *service, const struct principal *who, const char *id,
                     enum action action, struct user_meta *meta_r, json_t **user_r,
                     struct error *err)
{
    jx_auto *user = NULL;
    if (store_user_get(service->storage, who->organization_id, id, meta_r, &user, err) < 0)
        return -1;
    if (user == NULL)
        return permission_unseen(E_USER_NOT_FOUND, "user", id, err);
    const struct resource resource = members_of(who, "");
    if (permission_require(who, action, &resource, E_USER_NOT_FOUND, "user", id, err) < 0)
        return -1;
    *user_r = move_ptr(&user);
    return 0;
}

/* Only an owner makes owners, changes them, or removes them. */
static int owners_only(const struct principal *who, const char *role, struct error *err)
{
    if (permission_role_rank(role) <= permission_role_rank(who->role))
        return 0;
    return error_set(err, E_INSUFFICIENT_PERMISSIONS,
                     "as %s of the organization you cannot make, change or remove an %s", who->role,
                     role);
}

/* ---- bodies ---- */

static void email_check(const json_t *body, json_t *problems)
{
    const json_t *email = json_object_get(body, "email");
    const char *text = json_string_value(email), *at = text != NULL ? strchr(text, '@') : NULL;
    if (email == NULL || json_is_null(email))
        return;
    if (at == NULL || at == text || at[1] == '\0' || strchr(at + 1, '@') != NULL ||
        json_string_length(email) > EMAIL_MAX || strpbrk(text, " \t\r\n<>,") != NULL)
        problem_add(problems, "/email", "must be an e-mail address of at most %d bytes", EMAIL_MAX);
}

static int body_check(const json_t *body, struct error *err)
{
    jx_auto *problems = json_array();
    service_name_check(body, problems);
    email_check(body, problems);
    if (permission_role_rank(jx_str(body, "role", "member")) == 0)
        problem_add(problems, "/role", "must be owner, admin, member or viewer");
    const char *kind = jx_str(body, "kind", "person");
    if (strcmp(kind, "person") != 0 && strcmp(kind, "service") != 0)
        problem_add(problems, "/kind", "must be person or service");
    return problem_raise(problems, E_INVALID_REQUEST, "user", err);
}

/* ---- looking ---- */

int user_me(struct service *service, const struct principal *who, json_t **me_r, struct error *err)
{
    struct user_meta meta;
    jx_auto *user = NULL, *organization = NULL;
    if (store_user_get(service->storage, who->organization_id, who->user_id, &meta, &user, err) <
            0 ||
        store_organization_get(service->storage, who->organization_id, who->user_id, &organization,
                               err) < 0)
        return -1;
    if (user == NULL || organization == NULL)
        return permission_unseen(E_USER_NOT_FOUND, "user", who->user_id, err);
    json_object_del(organization, "settings");
    json_object_del(organization, "revision");
    *me_r =
        json_pack("{s:O, s:O, s:o, s:s*}", "user", user, "organization", organization, "scopes",
                  token_scopes(who), "tokenId", who->token_id[0] != '\0' ? who->token_id : NULL);
    return 0;
}

int user_list(struct service *service, const struct principal *who, const struct list_query *query,
              json_t **page_r, struct error *err)
{
    const struct c9d_value scope[] = {list_text(who->organization_id)};
    return service_list(service, &store_user_list, query, scope, page_r, err);
}

int user_get(struct service *service, const struct principal *who, const char *id, json_t **user_r,
             struct error *err)
{
    struct user_meta meta;
    return user_find(service, who, id, ACTION_READ, &meta, user_r, err);
}

/* ---- creating ---- */

#define CHANGED "the user was changed since"
static const char taken[] = "the e-mail address is somebody else's";

/* Whoever has the address already, of any organization. */
static int known_user(struct service *service, const json_t *body, struct user_meta *meta_r,
                      struct error *err)
{
    const char *email = jx_str(body, "email", NULL);
    meta_r->id[0] = '\0';
    if (email == NULL)
        return 0;
    if (store_user_by_email(service->storage, email, meta_r, err) < 0)
        return -1;
    bool service_kind = strcmp(jx_str(body, "kind", "person"), "service") == 0;
    if (meta_r->id[0] != '\0' && (service_kind || strcmp(meta_r->kind, "service") == 0))
        return error_set(err, E_DUPLICATE_NAME, "%s; a service account belongs to one organization",
                         taken);
    return 0;
}

int user_create(struct service *service, const struct principal *who, const json_t *body,
                json_t **user_r, struct error *err)
{
    struct user_meta known;
    const char *role = jx_str(body, "role", "member");
    if (permission_admin(who, "add users", err) < 0 || body_check(body, err) < 0 ||
        owners_only(who, role, err) < 0 || known_user(service, body, &known, err) < 0)
        return -1;
    bool new = known.id[0] == '\0';
    const struct conflict conflicts[] = {
        {0, E_ORGANIZATION_LIMIT_EXCEEDED,
         "the organization has as many users as its settings.maxUsers, or [limits] users, allows"},
        {1, E_DUPLICATE_NAME, new ? taken : "the user is a member already"},
        {-1, E_NONE, NULL}};
    char id[UUID_SIZE];
    const struct user_row row = {.id = new ? uuid_make(id) : known.id,
                                 .name = jx_str(body, "name", ""),
                                 .email = jx_str(body, "email", NULL),
                                 .kind = jx_str(body, "kind", "person"),
                                 .at = clock_wall_us()};
    struct storage_batch *batch = storage_batch_new();
    store_user_limit(batch, who->organization_id, service->users_max);
    if (new)
        store_user_insert(batch, &row);
    store_member_insert(batch, who->organization_id, row.id, role, row.at);
    audit_change(service, batch, who, "user", row.id, NULL, body);
    autofree char *location = xasprintf("/v1/users/%s", row.id);
    if (service_commit_made(service, who, batch, 201, location, conflicts, err) < 0)
        return -1;
    return user_get(service, who, row.id, user_r, err);
}

/* ---- changing ---- */

static json_t *body_of(const json_t *user)
{
    return json_pack("{s:O*, s:O*, s:O*}", "name", json_object_get(user, "name"), "email",
                     json_object_get(user, "email"), "role", json_object_get(user, "role"));
}

static bool same(const json_t *before, const json_t *after, const char *member)
{
    const char *a = jx_str(before, member, ""), *b = jx_str(after, member, "");
    return strcmp(a, b) == 0;
}

/* What of a user may be changed by whom. */
static int update_allowed(const struct principal *who, const struct user_meta *meta,
                          const json_t *before, const json_t *after, struct error *err)
{
    bool self = strcmp(meta->id, who->user_id) == 0, admin = permission_sees_all(who);
    if (!same(before, after, "role") &&
        (permission_admin(who, "change roles", err) < 0 || owners_only(who, meta->role, err) < 0 ||
         owners_only(who, jx_str(after, "role", ""), err) < 0))
        return -1;
    bool person = !same(before, after, "name") || !same(before, after, "email");
    if (person && !self && (!admin || owners_only(who, meta->role, err) < 0))
        return error_set(err, E_INSUFFICIENT_PERMISSIONS,
                         "name and e-mail address of another user are changed by admins");
    if (person && !self && meta->organizations > 1)
        return error_set(err, E_INSUFFICIENT_PERMISSIONS,
                         "the user is in another organization too: only he himself changes his "
                         "name and e-mail address");
    return 0;
}

static int edit_once(struct service *service, const struct principal *who, const char *id,
                     const json_t *patch, const int64_t *wanted, json_t **user_r, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_PRECONDITION_FAILED, CHANGED},
        {1, E_INVALID_STATE, "the last owner of an organization stays its owner"},
        {2, E_USER_NOT_FOUND, "the user was removed meanwhile"},
        {3, E_DUPLICATE_NAME, taken},
        {-1, E_NONE, NULL}};
    struct user_meta meta;
    jx_auto *user = NULL;
    if (user_find(service, who, id, ACTION_READ, &meta, &user, err) < 0)
        return -1;
    int64_t revision = jx_int(user, "revision", 0);
    jx_auto *before = body_of(user);
    jx_auto *after = jx_merge_patch(before, patch);
    if (service_revision_check(revision, wanted, "user", err) < 0 || body_check(after, err) < 0 ||
        update_allowed(who, &meta, before, after, err) < 0)
        return -1;
    const struct user_row row = {.id = id,
                                 .name = jx_str(after, "name", ""),
                                 .email = jx_str(after, "email", NULL),
                                 .at = clock_wall_us()};
    struct storage_batch *batch = storage_batch_new();
    store_revision_guard(batch, REVISED_USER, id, &revision);
    store_member_role_set(batch, who->organization_id, id, jx_str(after, "role", meta.role));
    store_user_update(batch, &row);
    audit_change(service, batch, who, "user", id, before, after);
    int result = service_commit(service, batch, conflicts, err);
    token_cache_drop(service->tokens, id);
    return result < 0 ? -1 : user_get(service, who, id, user_r, err);
}

int user_update(struct service *service, const struct principal *who, const char *id,
                const json_t *patch, const char *if_match, json_t **user_r, struct error *err)
{
    return service_edit(service, who, id, patch, if_match, edit_once, "user", user_r, err);
}

/* ---- removing ---- */

static int heir_check(struct service *service, const struct principal *who, const char *id,
                      const char *heir, struct error *err)
{
    struct user_meta meta;
    jx_auto *user = NULL;
    if (heir == NULL)
        return 0;
    if (store_user_get(service->storage, who->organization_id, heir, &meta, &user, err) < 0)
        return -1;
    if (user == NULL || strcmp(id, heir) == 0 ||
        permission_role_rank(meta.role) < permission_role_rank("member"))
        return error_set(err, E_INVALID_REQUEST,
                         "handOverTo: must be another user of the organization, and no viewer");
    return 0;
}

int user_delete(struct service *service, const struct principal *who, const char *id,
                const char *heir, const char *if_match, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_PRECONDITION_FAILED, CHANGED},
        {1, E_INVALID_STATE, "the last owner of an organization cannot be removed"},
        {2, E_RESOURCE_IN_USE, "the user owns agents; say to whom they go (handOverTo)"},
        {3, E_USER_NOT_FOUND, "the user was removed meanwhile"},
        {-1, E_NONE, NULL}};
    int64_t wanted = 0;
    int conditional = service_if_match(if_match, &wanted, err);
    struct user_meta meta;
    jx_auto *user = NULL, *agents = NULL;
    if (conditional < 0 || user_find(service, who, id, ACTION_WRITE, &meta, &user, err) < 0 ||
        owners_only(who, meta.role, err) < 0 || heir_check(service, who, id, heir, err) < 0)
        return -1;
    struct storage_batch *batch = storage_batch_new();
    store_revision_guard(batch, REVISED_USER, id, conditional != 0 ? &wanted : NULL);
    store_member_remove(batch, who->organization_id, id, heir, who->user_id, clock_wall_us());
    audit_change(service, batch, who, "user", id, user, NULL);
    error_auto failure = ERROR_INIT;
    int result = service_commit(service, batch, conflicts, &failure);
    token_cache_drop(service->tokens, id);
    if (result == 0)
        return 0;
    if (failure.code == E_RESOURCE_IN_USE &&
        store_user_agents(service->storage, who->organization_id, id, &agents, NULL) == 0)
        error_detail(&failure, "agents", move_ptr(&agents));
    return error_move(err, &failure);
}
