/* Webhook endpoints: an address of an agent that others send to without a token, signed with a
 * secret of the endpoint's own (hook_signature.h). A delivery becomes an execution of the agent, in
 * the name of who made the endpoint, or an event. */
#ifndef C9_SERVICE_HOOK_H
#define C9_SERVICE_HOOK_H

#include "service/hook_signature.h"
#include "service/service.h"

/* body: {"name","style"?,"delivers"?,"eventType"?,"version"?,"toleranceMs"?,"isActive"?,"secret"?}.
 * The agent must be one that `who` may change. The answer has "secret", this once. */
int hook_create(struct service *service, const struct principal *who, const char *agent,
                const json_t *body, json_t **hook_r, struct error *err);
int hook_get(struct service *service, const struct principal *who, const char *id, json_t **hook_r,
             struct error *err);
/* Filters: agentId (id or name), name. */
int hook_list(struct service *service, const struct principal *who, const struct list_query *query,
              json_t **page_r, struct error *err);
/* RFC 7396 on the members of the body, but style and secret. */
int hook_update(struct service *service, const struct principal *who, const char *id,
                const json_t *patch, const char *if_match, json_t **hook_r, struct error *err);
int hook_delete(struct service *service, const struct principal *who, const char *id,
                const char *if_match, struct error *err);
/* body: {"secret"?,"graceMs"?}. A new secret, shown this once; the one there was stays valid for
 * graceMs, a day when it is not given. */
int hook_rotate(struct service *service, const struct principal *who, const char *id,
                const json_t *body, json_t **hook_r, struct error *err);

struct hook_delivery {
    struct hook_message message;
    const char *content_type; /* NULL: not said */
    const char *event;        /* X-GitHub-Event, or NULL */
};
/* Anybody may call it (from: nobody, for where it came from); what is not signed is
 * E_SIGNATURE_INVALID, also when there is no such endpoint. The answer:
 * {"duplicate","executionId"} or {"duplicate","eventId","matches"}. */
int hook_deliver(struct service *service, const struct principal *from, const char *id,
                 const struct hook_delivery *delivery, json_t **result_r, struct error *err);

/* What it was sent with a right signature, for who may change it, as long as [hooks] replay_window.
 * Filters: outcome. Sort: createdAt. */
int hook_deliveries(struct service *service, const struct principal *who, const char *id,
                    const struct list_query *query, json_t **page_r, struct error *err);
int hook_delivery_get(struct service *service, const struct principal *who, const char *id,
                      const char *delivery_id, json_t **delivery_r, struct error *err);
/* Takes it once more, whatever became of it. The answer is hook_deliver's. E_INVALID_STATE when
 * what it carried is not there any more. */
int hook_redeliver(struct service *service, const struct principal *who, const char *id,
                   const char *delivery_id, json_t **result_r, struct error *err);

int hook_config_declare(struct config *config, struct error *err);

#endif
