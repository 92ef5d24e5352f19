#include "service/journal.h"

#include "service/execution-private.h"
#include "service/service-private.h"
#include "store/journal.h"

int journal_list(struct service *service, const struct principal *who, const char *execution,
                 const struct list_query *query, json_t **page_r, struct error *err)
{
    struct execution_meta meta;
    if (execution_find(service, who, execution, ACTION_READ, &meta, NULL, err) < 0)
        return -1;
    const struct c9d_value scope[] = {list_text(meta.id)};
    return service_list(service, &store_journal_list, query, scope, page_r, err);
}
