/* What executions used, summed up. Amounts are exact; those that the specification rounds are
 * rounded once, in the sum. */
#ifndef C9_STORE_USAGE_H
#define C9_STORE_USAGE_H

#include "store/list.h"

/* For each: scope is organization, user, whether he sees all, from and to (µs), agent id ('': any).
 */
extern const struct list store_usage_by_agent;        /* sort: agentId */
extern const struct list store_usage_by_day;          /* UTC; sort: day */
extern const struct list store_usage_of_organization; /* one row */

#endif
