/* What the files of endpoints share. */
#ifndef C9_SERVICE_HOOK_PRIVATE_H
#define C9_SERVICE_HOOK_PRIVATE_H

#include "service/hook.h"
#include "service/service-private.h"
#include "store/hook.h"

/* The endpoint, if `who` sees its agent. own: only if it is his, or he may change the agent. */
int hook_find(struct service *service, const struct principal *who, const char *id, bool own,
              struct hook_meta *meta_r, json_t **hook_r, struct error *err);

/* A delivery that is known to be from who has the secret, or from who may send it again. */
struct hook_take {
    const struct hook_target *target;
    const char *key;  /* one that was taken before is not taken again */
    const char *type; /* of the event; NULL: it becomes an execution */
    json_t *data;     /* NULL: it could not be read */
    const char *redelivery_of;
};
/* The answer is hook_deliver's. A refusal is kept for hook_deliveries. */
int hook_take(struct service *service, const struct hook_take *take, json_t **result_r,
              struct error *err);

#endif
