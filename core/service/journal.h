/* Time travel: what an execution asked for and was answered, and what can be made of it. */
#ifndef C9_SERVICE_JOURNAL_H
#define C9_SERVICE_JOURNAL_H

#include "service/service.h"

/* Entries in the order asked; keyset by seq. Filters: kind. */
int journal_list(struct service *service, const struct principal *who, const char *execution,
                 const struct list_query *query, json_t **page_r, struct error *err);

#endif
