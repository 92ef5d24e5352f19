#include "service/usage.h"

#include <string.h>

#include "base/clock.h"
#include "service/service-private.h"
#include "store/usage.h"

#define FROM_DEFAULT (30 * 86400 * CLOCK_SECOND)

static const struct {
    const char *name;
    const struct list *list;
} groups[] = {
    {"agent", &store_usage_by_agent},
    {"day", &store_usage_by_day},
    {"organization", &store_usage_of_organization},
};

static int time_of(const json_t *filters, const char *name, int64_t otherwise, int64_t *time_r,
                   struct error *err)
{
    const char *text = jx_str(filters, name, NULL);
    *time_r = otherwise;
    if (text == NULL || clock_parse_rfc3339(text, strlen(text), time_r) == 0)
        return 0;
    return error_set(err, E_INVALID_REQUEST,
                     "%s: must be an RFC 3339 time such as 2026-01-31T12:00:00Z", name);
}

int usage_list(struct service *service, const struct principal *who, const struct list_query *query,
               json_t **page_r, struct error *err)
{
    const char *group = jx_str(query->filters, "groupBy", groups[0].name);
    const char *agent = jx_str(query->filters, "agentId", NULL);
    const struct list *list = NULL;
    struct agent_meta meta = {.id = ""};
    int64_t from, to, now = clock_wall_us();
    for (size_t i = 0; i < countof(groups); i++)
        if (strcmp(groups[i].name, group) == 0)
            list = groups[i].list;
    if (list == NULL)
        return error_set(err, E_INVALID_REQUEST, "groupBy: must be agent, day or organization");
    if (time_of(query->filters, "to", now + CLOCK_SECOND, &to, err) < 0 ||
        time_of(query->filters, "from", to - FROM_DEFAULT, &from, err) < 0)
        return -1;
    if (from >= to)
        return error_set(err, E_INVALID_REQUEST, "from: must be before to");
    if (agent != NULL && agent_find(service, who, agent, ACTION_READ, &meta, NULL, err) < 0)
        return -1;
    struct list_query rest = *query;
    rest.filters = NULL;
    const struct c9d_value scope[] = {list_text(who->organization_id),
                                      list_text(who->user_id),
                                      list_int(permission_sees_all(who)),
                                      list_int(from),
                                      list_int(to),
                                      list_text(meta.id)};
    return service_list(service, list, &rest, scope, page_r, err);
}
