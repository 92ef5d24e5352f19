#include "service/trigger.h"

#include <string.h>

#include "base/clock.h"
#include "schema/schema.h"
#include "service/event.h"
#include "service/event_trigger.h"
#include "service/problem.h"
#include "service/schedule.h"
#include "service/schedule_settings.h"
#include "service/service-private.h"
#include "store/event.h"
#include "store/schedule.h"

static bool mode_is(const json_t *config, const char *mode)
{
    return strcmp(jx_str(config, "triggerMode", "manual"), mode) == 0;
}

/* What a schedule gives to the agent must be what the agent takes. */
static void scheduled_input_check(const json_t *config, const json_t *trigger, json_t *problems)
{
    const json_t *schema_json = json_object_get(config, "inputSchema");
    const json_t *given = json_object_get(trigger, "inputData");
    jx_auto *nothing = json_null();
    error_auto err = ERROR_INIT;
    if (schema_json == NULL || json_is_null(schema_json))
        return;
    schema_auto *schema = schema_cache_get(schema_json, NULL);
    if (schema != NULL && schema_validate(schema, given != NULL ? given : nothing, &err) < 0)
        problem_add_error(problems, "/triggerConfig/inputData", &err);
}

void trigger_check(struct service *service, const json_t *config, json_t *problems)
{
    jx_auto *nothing = json_object();
    const json_t *given = json_object_get(config, "triggerConfig");
    const json_t *trigger = given != NULL && !json_is_null(given) ? given : nothing;
    if (!json_is_object(trigger)) /* which has been said */
        return;
    if (mode_is(config, "scheduled")) {
        schedule_trigger_check(service, trigger, "/triggerConfig", problems);
        scheduled_input_check(config, trigger, problems);
    }
    if (mode_is(config, "event"))
        event_trigger_check(trigger, "/triggerConfig", problems);
}

int trigger_publish(struct service *service, struct storage_batch *batch,
                    const struct principal *who, const char *agent_id, const json_t *config,
                    struct error *err)
{
    event_trigger_publish(batch, agent_id, who->organization_id, who->user_id, config);
    return schedule_trigger_publish(service, batch, agent_id, who->organization_id, who->user_id,
                                    config, err);
}

void trigger_withdraw(struct storage_batch *batch, const char *agent_id)
{
    store_event_trigger_drop(batch, agent_id);
    store_schedule_pause_all(batch, agent_id, clock_wall_us());
}

void trigger_published(struct service *service)
{
    if (service->schedules->wake != NULL)
        service->schedules->wake(service->schedules->wake_arg);
}
