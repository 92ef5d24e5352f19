/* What the files of webhooks share. */
#ifndef C9_SERVICE_WEBHOOK_PRIVATE_H
#define C9_SERVICE_WEBHOOK_PRIVATE_H

#include "service/webhook.h"
#include "store/webhook.h"

/* The webhook, if `who` may change it. */
int webhook_find(struct service *service, const struct principal *who, const char *id,
                 struct webhook_meta *meta_r, json_t **webhook_r, struct error *err);

#endif
