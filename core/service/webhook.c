/* Webhooks as clients see them. */
#include "service/webhook-private.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "service/audit.h"
#include "service/hook_signature.h"
#include "service/problem.h"
#include "service/service-private.h"
#include "service/webhook_send.h"

enum { URL_MAX = 2048, DESCRIPTION_MAX = 1000 };

static const char *const event_names[] = {"execution.completed", "execution.failed",
                                          "execution.cancelled"};

/* ---- checks ---- */

static const char *url_problem(const json_t *value)
{
    const char *url = json_string_value(value);
    if (url == NULL || strlen(url) > URL_MAX ||
        (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0))
        return "must be an http or https URL";
    const char *host = strstr(url, "://") + 3;
    size_t len = strcspn(host, "/?#");
    if (len == 0 || memchr(host, '@', len) != NULL)
        return "must have a host, and no user";
    for (const char *c = url; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f)
            return "must have neither spaces nor control characters";
    return NULL;
}

static const char *secret_problem(const json_t *value)
{
    const char *secret = json_string_value(value);
    return hook_secret_fault(HOOK_STANDARD, secret != NULL ? secret : "");
}

static const char *events_problem(const json_t *value)
{
    if (!json_is_array(value) || json_array_size(value) == 0)
        return "must be an array with an event or more";
    for (size_t i = 0; i < json_array_size(value); i++) {
        const char *name = json_string_value(json_array_get(value, i));
        size_t k = 0;
        while (k < countof(event_names) && (name == NULL || strcmp(name, event_names[k]) != 0))
            k++;
        if (k == countof(event_names))
            return "may name execution.completed, execution.failed and execution.cancelled";
    }
    return NULL;
}

static const char *description_problem(const json_t *value)
{
    return !json_is_string(value) || json_string_length(value) > DESCRIPTION_MAX
               ? "must be a text of at most 1000 bytes"
               : NULL;
}

static const char *active_problem(const json_t *value)
{
    return json_is_boolean(value) ? NULL : "must be true or false";
}

static const struct {
    const char *name;
    bool required;
    const char *(*problem)(const json_t *value);
} members[] = {
    {"url", true, url_problem},          {"events", false, events_problem},
    {"secret", false, secret_problem},   {"description", false, description_problem},
    {"isActive", false, active_problem},
};

static int body_check(const json_t *body, struct error *err)
{
    jx_auto *problems = json_array();
    for (size_t i = 0; i < countof(members); i++) {
        const json_t *value = json_object_get(body, members[i].name);
        bool given = value != NULL && !json_is_null(value);
        const char *problem = given                 ? members[i].problem(value)
                              : members[i].required ? "is required"
                                                    : NULL;
        autofree char *path = problem_path("", members[i].name);
        if (problem != NULL)
            problem_add(problems, path, "%s", problem);
    }
    return problem_raise(problems, E_INVALID_REQUEST, "webhook", err);
}

int webhook_target_check(const json_t *target, struct error *err)
{
    const json_t *url = json_object_get(target, "url"), *secret = json_object_get(target, "secret");
    const char *wrong = url_problem(url);
    if (wrong != NULL)
        return error_set(err, E_INVALID_REQUEST, "webhook/url: %s", wrong);
    wrong = secret_problem(secret);
    return wrong != NULL ? error_set(err, E_INVALID_REQUEST, "webhook/secret: %s", wrong) : 0;
}

/* ---- permission ---- */

static int may_administer(const struct principal *who, struct error *err)
{
    return permission_sees_all(who)
               ? 0
               : error_set(err, E_INSUFFICIENT_PERMISSIONS,
                           "webhooks and their deliveries are for owners and admins, those of an "
                           "agent also for who may change it");
}

/* Those of an agent (by id or name; "" or NULL: of all) belong to whoever may change it. */
static int may_change(struct service *service, const struct principal *who, const char *agent,
                      char agent_id_r[UUID_SIZE], struct error *err)
{
    struct agent_meta meta;
    agent_id_r[0] = '\0';
    if (agent == NULL || agent[0] == '\0')
        return may_administer(who, err);
    if (agent_find(service, who, agent, ACTION_WRITE, &meta, NULL, err) < 0)
        return -1;
    memcpy(agent_id_r, meta.id, UUID_SIZE);
    return 0;
}

/* A webhook that is there, or what is of it; of an agent that one does not see it is not. */
static int may_see(struct service *service, const struct principal *who,
                   const struct webhook_meta *meta, enum error_code unseen, const char *noun,
                   const char *id, struct error *err)
{
    error_auto refusal = ERROR_INIT;
    char agent_id[UUID_SIZE];
    if (may_change(service, who, meta->agent_id, agent_id, &refusal) == 0)
        return 0;
    return refusal.code == E_AGENT_NOT_FOUND ? permission_unseen(unseen, noun, id, err)
                                             : error_move(err, &refusal);
}

int webhook_find(struct service *service, const struct principal *who, const char *id,
                 struct webhook_meta *meta_r, json_t **webhook_r, struct error *err)
{
    jx_auto *webhook = NULL;
    if (store_webhook_get(service->storage, id, meta_r, &webhook, err) < 0)
        return -1;
    if (webhook == NULL || strcmp(meta_r->organization_id, who->organization_id) != 0)
        return permission_unseen(E_WEBHOOK_NOT_FOUND, "webhook", id, err);
    if (may_see(service, who, meta_r, E_WEBHOOK_NOT_FOUND, "webhook", id, err) < 0)
        return -1;
    *webhook_r = move_ptr(&webhook);
    return 0;
}

/* ---- changing ---- */

static char *events_text(const json_t *body)
{
    const json_t *events = json_object_get(body, "events");
    if (events != NULL && !json_is_null(events))
        return jx_encode(events, NULL);
    jx_auto *all = json_array();
    for (size_t i = 0; i < countof(event_names); i++)
        json_array_append_new(all, json_string(event_names[i]));
    return jx_encode(all, NULL);
}

int webhook_create(struct service *service, const struct principal *who, const json_t *body,
                   json_t **webhook_r, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_ORGANIZATION_LIMIT_EXCEEDED,
         "the organization has as many webhooks as [webhooks] per_organization allows"},
        {1, E_AGENT_NOT_FOUND, "the agent was just deleted"},
        {-1, E_NONE, NULL}};
    const char *agent = jx_str(body, "agentId", NULL), *given = jx_str(body, "secret", NULL);
    char id[UUID_SIZE], agent_id[UUID_SIZE];
    if (body_check(body, err) < 0 || may_change(service, who, agent, agent_id, err) < 0)
        return -1;
    autofree char *secret = given != NULL ? xstrdup(given) : hook_secret_make(HOOK_STANDARD);
    autofree char *events = events_text(body);
    const struct webhook_row row = {.id = uuid_make(id),
                                    .organization_id = who->organization_id,
                                    .agent_id = agent_id[0] != '\0' ? agent_id : NULL,
                                    .url = jx_str(body, "url", ""),
                                    .description = jx_str(body, "description", NULL),
                                    .events = events,
                                    .secret = secret,
                                    .created_by = who->user_id,
                                    .is_active = jx_bool(body, "isActive", true),
                                    .at = clock_wall_us()};
    struct storage_batch *batch = storage_batch_new();
    store_webhook_limit(batch, who->organization_id,
                        config_int(service->config, "webhooks", NULL, "per_organization"));
    store_webhook_insert(batch, &row);
    audit_change(service, batch, who, "webhook", id, NULL, body);
    autofree char *location = xasprintf("/v1/webhooks/%s", id);
    jx_auto *shown_once = json_pack("{s:s}", "secret", secret);
    if (service_commit_made_with(service, who, batch, 201, location, shown_once, conflicts, err) <
        0)
        return -1;
    if (service->ops != NULL)
        service->ops->notify(service->engine);
    if (webhook_get(service, who, id, webhook_r, err) < 0)
        return -1;
    json_object_update(*webhook_r, shown_once);
    return 0;
}

int webhook_get(struct service *service, const struct principal *who, const char *id,
                json_t **webhook_r, struct error *err)
{
    struct webhook_meta meta;
    return webhook_find(service, who, id, &meta, webhook_r, err);
}

int webhook_list(struct service *service, const struct principal *who,
                 const struct list_query *query, json_t **page_r, struct error *err)
{
    const struct c9d_value scope[] = {list_text(who->organization_id)};
    char agent_id[UUID_SIZE];
    return may_change(service, who, jx_str(query->filters, "agentId", NULL), agent_id, err) < 0
               ? -1
               : service_list(service, &store_webhook_list, query, scope, page_r, err);
}

#define CHANGED "the webhook was changed since"

static int edit_once(struct service *service, const struct principal *who, const char *id,
                     const json_t *patch, const int64_t *wanted, json_t **webhook_r,
                     struct error *err)
{
    static const struct conflict conflicts[] = {{0, E_PRECONDITION_FAILED, CHANGED},
                                                {-1, E_NONE, NULL}};
    struct webhook_meta meta;
    jx_auto *before = NULL;
    if (webhook_find(service, who, id, &meta, &before, err) < 0 ||
        service_revision_check(meta.revision, wanted, "webhook", err) < 0)
        return -1;
    jx_auto *body = jx_merge_patch(before, patch);
    if (body_check(body, err) < 0)
        return -1;
    autofree char *events = events_text(body);
    const struct webhook_row row = {.id = id,
                                    .url = jx_str(body, "url", ""),
                                    .description = jx_str(body, "description", NULL),
                                    .events = events,
                                    .is_active = jx_bool(body, "isActive", true),
                                    .at = clock_wall_us()};
    struct storage_batch *batch = storage_batch_new();
    store_webhook_update(batch, &row, meta.revision);
    audit_change(service, batch, who, "webhook", id, before, body);
    return service_commit(service, batch, conflicts, err) < 0
               ? -1
               : webhook_get(service, who, id, webhook_r, err);
}

int webhook_update(struct service *service, const struct principal *who, const char *id,
                   const json_t *patch, const char *if_match, json_t **webhook_r, struct error *err)
{
    return service_edit(service, who, id, patch, if_match, edit_once, "webhook", webhook_r, err);
}

int webhook_delete(struct service *service, const struct principal *who, const char *id,
                   const char *if_match, struct error *err)
{
    static const struct conflict conflicts[] = {{0, E_PRECONDITION_FAILED, CHANGED},
                                                {-1, E_NONE, NULL}};
    int64_t wanted = 0;
    int conditional = service_if_match(if_match, &wanted, err);
    struct webhook_meta meta;
    jx_auto *webhook = NULL;
    if (conditional < 0 || webhook_find(service, who, id, &meta, &webhook, err) < 0)
        return -1;
    struct storage_batch *batch = storage_batch_new();
    store_webhook_delete(batch, id, conditional != 0 ? &wanted : NULL);
    audit_change(service, batch, who, "webhook", id, webhook, NULL);
    return service_commit(service, batch, conflicts, err);
}

int webhook_rotate(struct service *service, const struct principal *who, const char *id,
                   json_t **webhook_r, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_WEBHOOK_NOT_FOUND, "the webhook was just deleted"}, {-1, E_NONE, NULL}};
    struct webhook_meta meta;
    jx_auto *webhook = NULL;
    if (webhook_find(service, who, id, &meta, &webhook, err) < 0)
        return -1;
    autofree char *secret = hook_secret_make(HOOK_STANDARD);
    int64_t now = clock_wall_us();
    struct storage_batch *batch = storage_batch_new();
    store_webhook_rotate(batch, id, secret,
                         now + config_int(service->config, "webhooks", NULL, "rotation_overlap"),
                         now);
    audit_change(service, batch, who, "webhook", id, webhook, webhook);
    if (service_commit(service, batch, conflicts, err) < 0 ||
        webhook_get(service, who, id, webhook_r, err) < 0)
        return -1;
    json_object_set_new(*webhook_r, "secret", json_string(secret));
    return 0;
}

/* ---- deliveries ---- */

int webhook_deliveries(struct service *service, const struct principal *who,
                       const struct list_query *query, json_t **page_r, struct error *err)
{
    const struct c9d_value scope[] = {list_text(who->organization_id)};
    const char *webhook_id = jx_str(query->filters, "webhookId", NULL);
    struct webhook_meta meta;
    jx_auto *webhook = NULL;
    if (webhook_id == NULL ? may_administer(who, err) < 0
                           : webhook_find(service, who, webhook_id, &meta, &webhook, err) < 0)
        return -1;
    return service_list(service, &store_webhook_delivery_list, query, scope, page_r, err);
}

int webhook_delivery_get(struct service *service, const struct principal *who, const char *id,
                         json_t **delivery_r, struct error *err)
{
    struct webhook_meta meta;
    jx_auto *delivery = NULL;
    if (store_webhook_delivery_get(service->storage, id, &meta, &delivery, err) < 0)
        return -1;
    if (delivery == NULL || strcmp(meta.organization_id, who->organization_id) != 0)
        return permission_unseen(E_DELIVERY_NOT_FOUND, "delivery", id, err);
    if (may_see(service, who, &meta, E_DELIVERY_NOT_FOUND, "delivery", id, err) < 0)
        return -1;
    *delivery_r = move_ptr(&delivery);
    return 0;
}

int webhook_delivery_attempts(struct service *service, const struct principal *who, const char *id,
                              const struct list_query *query, json_t **page_r, struct error *err)
{
    jx_auto *delivery = NULL;
    if (webhook_delivery_get(service, who, id, &delivery, err) < 0)
        return -1;
    const struct c9d_value scope[] = {list_text(id)};
    return service_list(service, &store_webhook_attempt_list, query, scope, page_r, err);
}

int webhook_redeliver(struct service *service, const struct principal *who, const char *id,
                      json_t **delivery_r, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_INVALID_STATE, "the delivery is pending already"}, {-1, E_NONE, NULL}};
    jx_auto *delivery = NULL;
    if (webhook_delivery_get(service, who, id, &delivery, err) < 0)
        return -1;
    struct storage_batch *batch = storage_batch_new();
    store_webhook_redeliver(batch, id, clock_wall_us());
    if (service_commit(service, batch, conflicts, err) < 0)
        return -1;
    audit_note(service, who, "webhookDelivery", id);
    if (service->ops != NULL)
        service->ops->notify(service->engine);
    return webhook_delivery_get(service, who, id, delivery_r, err);
}

/* ---- signing ---- */

char *webhook_sign(const struct webhook_message *message, int64_t seconds)
{
    const struct webhook_delivery *d = &message->delivery;
    buf_auto content = BUF_INIT;
    buf_auto out = BUF_INIT;
    buf_printf(&content, "%s.%" PRId64 ".", d->id, seconds);
    buf_append(&content, message->body, message->len);
    hook_standard_sign(d->secret, content.data, content.len, &out);
    if (d->old_secret[0] != '\0' && d->old_until > clock_wall_us())
        hook_standard_sign(d->old_secret, content.data, content.len, &out);
    return buf_steal(&out);
}
