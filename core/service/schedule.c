#include "service/schedule.h"

#include <string.h>

#include "base/clock.h"
#include "host/storage.h"
#include "service/audit.h"
#include "service/execution.h"
#include "service/problem.h"
#include "service/schedule_execution.h"
#include "service/schedule_settings.h"
#include "service/service-private.h"
#include "store/schedule_run.h"

#define settings_auto cleanup(schedule_settings_clear) struct schedule_settings
#define CHANGED       "the schedule was changed since"

void service_attach_scheduler(struct service *service, void (*wake)(void *arg), void *arg)
{
    service->schedules->wake_arg = arg;
    service->schedules->wake = wake;
}

static void scheduler_wake(const struct service *service)
{
    if (service->schedules->wake != NULL)
        service->schedules->wake(service->schedules->wake_arg);
}

/* ---- finding ---- */

/* A public agent may be executed from elsewhere; when it runs by itself is its organization's
 * affair. */
static int inside(const struct principal *who, const struct agent_meta *agent, struct error *err)
{
    if (strcmp(agent->organization_id, who->organization_id) == 0)
        return 0;
    return error_set(err, E_INSUFFICIENT_PERMISSIONS,
                     "agent %s is another organization's: its schedules are neither seen nor made "
                     "from here",
                     agent->id);
}

/* A schedule is seen by those who see its agent. */
static int schedule_find_with(struct service *service, const struct principal *who, const char *id,
                              struct schedule_meta *meta_r, struct agent_meta *agent_r,
                              json_t **schedule_r, struct error *err)
{
    jx_auto *schedule = NULL;
    error_auto failure = ERROR_INIT;
    if (store_schedule_get(service->storage, id, meta_r, &schedule, err) < 0)
        return -1;
    if (meta_r->id[0] == '\0')
        return permission_unseen(E_SCHEDULE_NOT_FOUND, "schedule", id, err);
    if (agent_find(service, who, meta_r->agent_id, ACTION_READ, agent_r, NULL, &failure) < 0)
        return failure.code == E_STORAGE_FAILED
                   ? error_move(err, &failure)
                   : permission_unseen(E_SCHEDULE_NOT_FOUND, "schedule", id, err);
    if (strcmp(agent_r->organization_id, who->organization_id) != 0)
        return permission_unseen(E_SCHEDULE_NOT_FOUND, "schedule", id, err);
    if (schedule_r != NULL)
        *schedule_r = move_ptr(&schedule);
    return 0;
}

static int schedule_find(struct service *service, const struct principal *who, const char *id,
                         struct schedule_meta *meta_r, json_t **schedule_r, struct error *err)
{
    struct agent_meta agent;
    return schedule_find_with(service, who, id, meta_r, &agent, schedule_r, err);
}

static int schedule_find_own(struct service *service, const struct principal *who, const char *id,
                             struct schedule_meta *meta_r, json_t **schedule_r, struct error *err)
{
    struct agent_meta agent;
    jx_auto *schedule = NULL;
    if (schedule_find_with(service, who, id, meta_r, &agent, &schedule, err) < 0)
        return -1;
    const struct resource resource = agent_resource(&agent);
    if (strcmp(meta_r->created_by, who->user_id) != 0 &&
        !permission_has(who, ACTION_WRITE, &resource))
        return error_set(err, E_INSUFFICIENT_PERMISSIONS,
                         "schedule %s is neither yours nor of an agent that you may change", id);
    if (schedule_r != NULL)
        *schedule_r = move_ptr(&schedule);
    return 0;
}

/* What its triggerConfig decides. */
static int own_settings(const struct schedule_meta *meta, struct error *err)
{
    if (strcmp(meta->origin, "agent") != 0)
        return 0;
    return error_set(
        err, E_INVALID_STATE,
        "schedule %s comes from the triggerConfig of agent %s: change that and publish "
        "a version; here it can be paused and resumed",
        meta->id, meta->agent_id);
}

int schedule_get(struct service *service, const struct principal *who, const char *id,
                 json_t **schedule_r, struct error *err)
{
    struct schedule_meta meta;
    return schedule_find(service, who, id, &meta, schedule_r, err);
}

int schedule_list(struct service *service, const struct principal *who,
                  const struct list_query *query, json_t **page_r, struct error *err)
{
    const char *agent = jx_str(query->filters, "agentId", NULL);
    struct agent_meta meta;
    if (agent == NULL) {
        const struct c9d_value scope[] = SCOPE_OF(who);
        return service_list(service, &store_schedule_list, query, scope, page_r, err);
    }
    jx_auto *filters = filters_without(query->filters, "agentId");
    struct list_query rest = *query;
    rest.filters = filters;
    if (agent_find(service, who, agent, ACTION_READ, &meta, NULL, err) < 0 ||
        inside(who, &meta, err) < 0)
        return -1;
    const struct c9d_value of_agent[] = {list_text(meta.id)};
    return service_list(service, &store_agent_schedule_list, &rest, of_agent, page_r, err);
}

int schedule_runs(struct service *service, const struct principal *who, const char *id,
                  const struct list_query *query, json_t **page_r, struct error *err)
{
    struct schedule_meta meta;
    if (schedule_find(service, who, id, &meta, NULL, err) < 0)
        return -1;
    const struct c9d_value scope[] = {list_text(meta.id)};
    return service_list(service, &store_schedule_run_list, query, scope, page_r, err);
}

/* ---- changing ---- */

static int settings_require(struct service *service, const json_t *body,
                            struct schedule_settings *settings_r, struct error *err)
{
    jx_auto *problems = json_array();
    schedule_settings_read(service, body, true, "", problems, settings_r);
    return problem_raise(problems, E_INVALID_SCHEDULE, "schedule", err);
}

/* Whether an execution would be accepted now. */
static int settings_executable(struct service *service, const struct principal *who,
                               const char *agent, const struct schedule_settings *settings,
                               struct error *err)
{
    launch_row_auto prepared = {NULL};
    return launch_row_prepare(service, who, agent, settings->columns.version, "", settings->input,
                              &prepared, err);
}

static struct schedule_time settings_next(const struct schedule_settings *settings, const char *id,
                                          int64_t now)
{
    if (!settings->columns.active)
        return (struct schedule_time){0, 0};
    return schedule_time_next(&settings->cron, settings->zone, id,
                              settings->columns.jitter_ms * 1000, now);
}

int schedule_create(struct service *service, const struct principal *who, const char *agent,
                    const json_t *body, json_t **schedule_r, struct error *err)
{
    static const struct conflict conflicts[] = {
        {0, E_ORGANIZATION_LIMIT_EXCEEDED,
         "the agent has as many schedules as [schedules] per_agent allows"},
        {-1, E_NONE, NULL}};
    struct agent_meta meta;
    settings_auto settings = {.nothing = NULL};
    char id[UUID_SIZE];
    if (permission_create(who, "schedules", err) < 0 ||
        agent_find(service, who, agent, ACTION_EXECUTE, &meta, NULL, err) < 0 ||
        inside(who, &meta, err) < 0)
        return -1;
    if (settings_require(service, body, &settings, err) < 0 ||
        settings_executable(service, who, meta.id, &settings, err) < 0)
        return -1;
    int64_t now = clock_wall_us();
    uuid_make(id);
    struct storage_batch *batch = storage_batch_new();
    store_schedule_limit(batch, meta.id, service->schedules->per_agent);
    store_schedule_insert(batch, id, meta.id, meta.organization_id, who->user_id, &settings.columns,
                          settings_next(&settings, id, now), now);
    autofree char *location = xasprintf("/v1/schedules/%s", id);
    audit_change(service, batch, who, "schedule", id, NULL, body);
    if (service_commit_made(service, who, batch, 201, location, conflicts, err) < 0)
        return -1;
    scheduler_wake(service);
    return schedule_get(service, who, id, schedule_r, err);
}

/* The members that a client decides, of a schedule as it is shown. */
static json_t *settings_of(const json_t *schedule)
{
    static const char *const members[] = {
        "name",          "cronExpression",  "timezone",          "inputData", "version",
        "overlapPolicy", "missedRunPolicy", "missedRunWindowMs", "jitterMs",  "isActive"};
    json_t *settings = json_object();
    for (size_t i = 0; i < countof(members); i++) {
        json_t *value = json_object_get(schedule, members[i]);
        if (value != NULL)
            json_object_set(settings, members[i], value);
    }
    return settings;
}

/* Whether nothing changes that the times come from: one that has come, and was not seen to yet,
 * still comes. */
static bool times_same(const json_t *before, const json_t *after)
{
    static const char *const members[] = {"cronExpression", "timezone", "jitterMs", "isActive"};
    for (size_t i = 0; i < countof(members); i++) {
        const json_t *value = json_object_get(after, members[i]);
        if (value == NULL || !jx_equal(json_object_get(before, members[i]), value))
            return false;
    }
    return true;
}

/* What has come does not come again, also when the clock was set back. */
static struct schedule_time settings_after(const struct schedule_settings *settings,
                                           const struct schedule_meta *meta, int64_t now)
{
    bool ahead = meta->active && meta->last_scheduled_for > now;
    return settings_next(settings, meta->id, ahead ? meta->last_scheduled_for : now);
}

static int edit_once(struct service *service, const struct principal *who, const char *id,
                     const json_t *patch, const int64_t *wanted, json_t **schedule_r,
                     struct error *err)
{
    static const struct conflict conflicts[] = {{0, E_PRECONDITION_FAILED, CHANGED},
                                                {-1, E_NONE, NULL}};
    struct schedule_meta meta;
    jx_auto *schedule = NULL;
    settings_auto settings = {.nothing = NULL};
    if (schedule_find_own(service, who, id, &meta, &schedule, err) < 0 ||
        service_revision_check(meta.revision, wanted, "schedule", err) < 0)
        return -1;
    jx_auto *before = settings_of(schedule);
    jx_auto *after = jx_merge_patch(before, patch);
    bool only_active = json_object_size(patch) == 1 && json_object_get(patch, "isActive") != NULL;
    if ((!only_active && own_settings(&meta, err) < 0) ||
        settings_require(service, after, &settings, err) < 0 ||
        (settings.columns.active &&
         settings_executable(service, who, meta.agent_id, &settings, err) < 0))
        return -1;
    int64_t now = clock_wall_us();
    struct schedule_time next =
        times_same(before, after) ? meta.next : settings_after(&settings, &meta, now);
    struct storage_batch *batch = storage_batch_new();
    store_schedule_update(batch, meta.id, meta.revision, &settings.columns, next, now);
    audit_change(service, batch, who, "schedule", meta.id, before, after);
    if (service_commit(service, batch, conflicts, err) < 0)
        return -1;
    scheduler_wake(service);
    return schedule_get(service, who, meta.id, schedule_r, err);
}

int schedule_update(struct service *service, const struct principal *who, const char *id,
                    const json_t *patch, const char *if_match, json_t **schedule_r,
                    struct error *err)
{
    if (!json_is_object(patch))
        return error_set(err, E_INVALID_REQUEST, "the patch must be an object (RFC 7396)");
    return service_edit(service, who, id, patch, if_match, edit_once, "schedule", schedule_r, err);
}

int schedule_set_active(struct service *service, const struct principal *who, const char *id,
                        bool active, json_t **schedule_r, struct error *err)
{
    jx_auto *patch = json_pack("{s:b}", "isActive", active);
    return schedule_update(service, who, id, patch, NULL, schedule_r, err);
}

int schedule_delete(struct service *service, const struct principal *who, const char *id,
                    const char *if_match, struct error *err)
{
    static const struct conflict conflicts[] = {{0, E_PRECONDITION_FAILED, CHANGED},
                                                {-1, E_NONE, NULL}};
    int64_t wanted = 0;
    int conditional = service_if_match(if_match, &wanted, err);
    struct schedule_meta meta;
    jx_auto *schedule = NULL;
    if (conditional < 0 || schedule_find_own(service, who, id, &meta, &schedule, err) < 0 ||
        own_settings(&meta, err) < 0)
        return -1;
    struct storage_batch *batch = storage_batch_new();
    store_schedule_delete(batch, meta.id, conditional != 0 ? &wanted : NULL);
    audit_change(service, batch, who, "schedule", meta.id, schedule, NULL);
    return service_commit(service, batch, conflicts, err);
}

/* ---- running by hand ---- */

static json_t *run_json(const struct schedule_run_row *row)
{
    char scheduled_for[CLOCK_RFC3339_SIZE], at[CLOCK_RFC3339_SIZE];
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:s}", "id", row->id, "scheduleId",
                     row->schedule_id, "scheduledFor",
                     clock_format_rfc3339(row->scheduled_for, scheduled_for), "outcome",
                     row->outcome, "byHand", row->by_hand, "executionId", row->execution_id,
                     "createdAt", clock_format_rfc3339(row->at, at));
}

int schedule_run_now(struct service *service, const struct principal *who, const char *id,
                     json_t **run_r, struct error *err)
{
    static const struct conflict conflicts[] = {{-1, E_NONE, NULL}};
    struct schedule_meta meta;
    jx_auto *schedule = NULL;
    launch_row_auto prepared = {NULL};
    if (service_engine(service, err) < 0 ||
        schedule_find(service, who, id, &meta, &schedule, err) < 0)
        return -1;
    jx_auto *nothing = json_null();
    const json_t *given = json_object_get(schedule, "inputData");
    const json_t *input = given != NULL ? given : nothing;
    char execution_id[UUID_SIZE];
    uuid_make(execution_id);
    if (launch_row_prepare(service, who, meta.agent_id, jx_str(schedule, "version", NULL),
                           execution_id, input, &prepared, err) < 0)
        return -1;
    int64_t now = clock_wall_us();
    struct schedule_run_row row = {.schedule_id = meta.id,
                                   .outcome = "started",
                                   .execution_id = execution_id,
                                   .scheduled_for = now,
                                   .by_hand = true,
                                   .at = now};
    uuid_make(row.id);
    autofree char *text = jx_encode(input, NULL);
    struct storage_batch *batch = storage_batch_new();
    store_schedule_run_insert(batch, &row);
    schedule_execution_add(batch, &prepared, who->user_id, &row, text);
    autofree char *location = xasprintf("/v1/executions/%s", execution_id);
    if (service_commit_made(service, who, batch, 202, location, conflicts, err) < 0)
        return -1;
    service_nudge(service);
    *run_r = run_json(&row);
    return 0;
}

/* ---- previews ---- */

static json_t *preview_row(struct schedule_time time, const struct zone *zone, bool jitter)
{
    char at[CLOCK_RFC3339_SIZE], starts[CLOCK_RFC3339_SIZE], local[CLOCK_RFC3339_SIZE];
    const struct zone_span span = zone_span(zone, time.scheduled_for / CLOCK_SECOND);
    int minutes = abs(span.offset) / 60;
    clock_format_rfc3339(time.scheduled_for + span.offset * CLOCK_SECOND, local);
    autofree char *with_offset = xasprintf("%.19s%c%02d:%02d", local, span.offset < 0 ? '-' : '+',
                                           minutes / 60, minutes % 60);
    json_t *row = json_pack("{s:s, s:s}", "scheduledFor",
                            clock_format_rfc3339(time.scheduled_for, at), "local", with_offset);
    if (jitter)
        json_object_set_new(row, "startsAt", json_string(clock_format_rfc3339(time.at, starts)));
    return row;
}

static json_t *preview_make(const struct schedule_settings *settings, const char *id, int64_t from,
                            int64_t count)
{
    json_t *runs = json_array();
    int64_t jitter = settings->columns.jitter_ms * 1000;
    for (int64_t i = 0; i < count; i++) {
        struct schedule_time time =
            schedule_time_next(&settings->cron, settings->zone, id, jitter, from);
        if (time.at == 0)
            break;
        json_array_append_new(runs, preview_row(time, settings->zone, jitter > 0));
        from = time.scheduled_for;
    }
    return json_pack("{s:s, s:s, s:o}", "cronExpression", settings->columns.cron_expression,
                     "timezone", settings->columns.timezone, "runs", runs);
}

int schedule_preview(struct service *service, const json_t *body, json_t **preview_r,
                     struct error *err)
{
    settings_auto settings = {.nothing = NULL};
    jx_auto *rest = json_copy((json_t *)body);
    jx_auto *problems = json_array();
    const char *from_text = jx_str(body, "from", NULL);
    int64_t from = clock_wall_us();
    json_object_del(rest, "from");
    json_object_del(rest, "count");
    schedule_settings_read(service, rest, false, "", problems, &settings);
    if (from_text != NULL && clock_parse_rfc3339(from_text, strlen(from_text), &from) < 0)
        problem_add(problems, "/from", "is not an RFC 3339 time such as 2026-01-31T12:00:00Z");
    if (problem_raise(problems, E_INVALID_SCHEDULE, "schedule", err) < 0)
        return -1;
    *preview_r = preview_make(&settings, "", from, jx_int(body, "count", SCHEDULE_PREVIEW));
    return 0;
}

int schedule_preview_of(struct service *service, const struct principal *who, const char *id,
                        int64_t count, json_t **preview_r, struct error *err)
{
    struct schedule_meta meta;
    jx_auto *schedule = NULL;
    settings_auto settings = {.nothing = NULL};
    if (schedule_find(service, who, id, &meta, &schedule, err) < 0)
        return -1;
    jx_auto *own = settings_of(schedule);
    if (settings_require(service, own, &settings, err) < 0)
        return -1;
    *preview_r =
        preview_make(&settings, meta.id, clock_wall_us(), count > 0 ? count : SCHEDULE_PREVIEW);
    return 0;
}

/* ---- of agents ---- */

void schedule_trigger_check(struct service *service, const json_t *trigger_config, const char *path,
                            json_t *problems)
{
    settings_auto settings;
    schedule_settings_read(service, trigger_config, false, path, problems, &settings);
}

int schedule_trigger_publish(struct service *service, struct storage_batch *batch,
                             const char *agent_id, const char *organization_id, const char *user_id,
                             const json_t *config, struct error *err)
{
    if (strcmp(jx_str(config, "triggerMode", ""), "scheduled") != 0) {
        store_schedule_drop(batch, agent_id);
        return 0;
    }
    settings_auto settings;
    jx_auto *problems = json_array();
    char id[UUID_SIZE];
    int64_t now = clock_wall_us();
    schedule_settings_read(service, json_object_get(config, "triggerConfig"), false,
                           "/triggerConfig", problems, &settings);
    if (problem_raise(problems, E_INVALID_AGENT_CONFIG, "agent", err) < 0 ||
        store_schedule_origin(service->storage, agent_id, id, err) < 0)
        return -1;
    if (id[0] == '\0')
        uuid_make(id);
    store_schedule_put(batch, id, agent_id, organization_id, user_id, &settings.columns,
                       settings_next(&settings, id, now), now);
    return 0;
}
