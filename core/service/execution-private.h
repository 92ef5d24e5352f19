/* What the files about executions share: signals and time travel beside execution.c itself. */
#ifndef C9_SERVICE_EXECUTION_PRIVATE_H
#define C9_SERVICE_EXECUTION_PRIVATE_H

#include "service/permission.h"
#include "service/service.h"
#include "store/execution_view.h"

/* The execution, if who may do that to it; E_EXECUTION_NOT_FOUND when he may not even see it.
 * execution_r may be NULL. */
int execution_find(struct service *service, const struct principal *who, const char *id,
                   enum action action, struct execution_meta *meta_r, json_t **execution_r,
                   struct error *err);
bool execution_has_ended(const char *status);
int execution_ended_error(const char *id, const char *status, struct error *err); /* -1 */

#endif
