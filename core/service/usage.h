/* What executions used: for bills and limits. */
#ifndef C9_SERVICE_USAGE_H
#define C9_SERVICE_USAGE_H

#include "service/service.h"

/* A page of sums over the executions that ended from `from` (default: 30 days ago) until before
 * `to` (now) and that `who` may see. Filters: groupBy (agent, the default; day; organization),
 * agentId (id or name), from, to. E_INVALID_REQUEST when from is not before to. */
int usage_list(struct service *service, const struct principal *who, const struct list_query *query,
               json_t **page_r, struct error *err);

#endif
