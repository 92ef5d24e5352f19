#include "service/schedule_settings.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "service/problem.h"
#include "service/service-private.h"

enum { NAME_BYTES = 200, VERSION_BYTES = 128 };
#define HOUR             (3600 * CLOCK_SECOND)
#define JITTER_MOST_MS   INT64_C(3600000)
#define WINDOW_MOST_MS   (INT64_C(366) * 86400000)
#define WINDOW_DEFAULT   INT64_C(86400000)
#define OVERLAP_DEFAULT  "skip"
#define MISSED_DEFAULT   "one"
#define TIMEZONE_DEFAULT "UTC"

static const struct config_key keys[] = {
    {"schedules", "zoneinfo", CONFIG_STRING, "/usr/share/zoneinfo", 0, 0, NULL,
     "Folder of the tz database's compiled files; Debian's package tzdata."},
    {"schedules", "per_agent", CONFIG_INT, "1000", 1, 10000000, NULL, "Schedules of one agent."},
    {"schedules", "late", CONFIG_DURATION, "1m", CLOCK_SECOND, 24 * HOUR, NULL,
     "A run that could not start within this time is a missed one, for which the schedule's "
     "missedRunPolicy decides."},
    {"schedules", "catch_up", CONFIG_INT, "1000", 1, 100000, NULL,
     "Missed runs of one schedule that missedRunPolicy `all` makes up for, the newest."},
    {"schedules", "queue", CONFIG_INT, "100", 1, 100000, NULL,
     "Runs of one schedule that overlapPolicy `queue` lets wait; more are skipped."},
    {"schedules", "history", CONFIG_DURATION, "30d", HOUR, 36500 * 24 * HOUR, NULL,
     "How long it is remembered what became of the runs of a schedule."},
};

int schedule_config_declare(struct config *config, struct error *err)
{
    return config_declare(config, keys, countof(keys), err);
}

struct schedule_context *schedule_context_new(const struct config *config)
{
    struct schedule_context *context = xcalloc(1, sizeof(*context));
    context->zones = zones_new(config_string(config, "schedules", NULL, "zoneinfo"));
    context->per_agent = config_int(config, "schedules", NULL, "per_agent");
    context->late = config_int(config, "schedules", NULL, "late");
    context->history = config_int(config, "schedules", NULL, "history");
    context->queue = config_int(config, "schedules", NULL, "queue");
    context->catch_up = config_int(config, "schedules", NULL, "catch_up");
    return context;
}

void schedule_context_free(struct schedule_context *context)
{
    if (context != NULL)
        zones_free(context->zones);
    free(context);
}

/* ---- members ---- */

struct reading {
    struct service *service;
    struct schedule_settings *settings;
    json_t *problems;
};

static const char *read_text(struct reading *r, const char *path, const json_t *value, size_t max)
{
    if (json_is_string(value) && json_string_length(value) >= 1 && json_string_length(value) <= max)
        return json_string_value(value);
    problem_add(r->problems, path, "must be a text of 1 to %zu bytes", max);
    return NULL;
}

static void read_name(struct reading *r, const char *path, const json_t *value)
{
    r->settings->columns.name = read_text(r, path, value, NAME_BYTES);
}

static void read_version(struct reading *r, const char *path, const json_t *value)
{
    r->settings->columns.version = read_text(r, path, value, VERSION_BYTES);
}

static void read_cron(struct reading *r, const char *path, const json_t *value)
{
    error_auto err = ERROR_INIT;
    const char *text = read_text(r, path, value, CRON_TEXT_MAX);
    r->settings->columns.cron_expression = text;
    if (text != NULL && cron_parse(text, &r->settings->cron, &err) < 0)
        problem_add(r->problems, path, "%s", err.message);
}

static void read_timezone(struct reading *r, const char *path, const json_t *value)
{
    error_auto err = ERROR_INIT;
    const char *text = json_string_value(value);
    r->settings->columns.timezone = text;
    if (text == NULL)
        problem_add(r->problems, path, "must be the name of a time zone, such as Europe/Berlin");
    else if ((r->settings->zone = zones_get(r->service->schedules->zones, text, &err)) == NULL)
        problem_add(r->problems, path, "%s", err.message);
}

static void read_input(struct reading *r, const char *path, const json_t *value)
{
    size_t len;
    r->settings->input = (json_t *)value;
    r->settings->columns.input = r->settings->input_text = jx_encode(value, &len);
    if (len > (size_t)r->service->object_max)
        problem_add(r->problems, path, "has %zu bytes as JSON; [limits] object allows %" PRId64,
                    len, r->service->object_max);
}

static void read_active(struct reading *r, const char *path, const json_t *value)
{
    if (!json_is_boolean(value))
        problem_add(r->problems, path, "must be true or false");
    r->settings->columns.active = json_is_true(value);
}

static const char *read_choice(struct reading *r, const char *path, const json_t *value,
                               const char *const *choices, size_t n, const char *all)
{
    const char *text = json_string_value(value);
    for (size_t i = 0; text != NULL && i < n; i++)
        if (strcmp(choices[i], text) == 0)
            return choices[i];
    autofree char *hint = problem_hint(text != NULL ? text : "", choices, n);
    problem_add(r->problems, path, "must be one of %s%s", all, hint);
    return NULL;
}

static void read_overlap(struct reading *r, const char *path, const json_t *value)
{
    static const char *const policies[] = {"skip", "queue", "cancelRunning", "allow"};
    r->settings->columns.overlap_policy = read_choice(r, path, value, policies, countof(policies),
                                                      "skip, queue, cancelRunning, allow");
}

static void read_missed(struct reading *r, const char *path, const json_t *value)
{
    static const char *const policies[] = {"skip", "one", "all"};
    r->settings->columns.missed_run_policy =
        read_choice(r, path, value, policies, countof(policies), "skip, one, all");
}

static int64_t read_count(struct reading *r, const char *path, const json_t *value, int64_t most)
{
    int64_t number = json_is_integer(value) ? json_integer_value(value) : -1;
    if (number < 0 || number > most)
        problem_add(r->problems, path, "must be an integer from 0 to %" PRId64, most);
    return number;
}

static void read_window(struct reading *r, const char *path, const json_t *value)
{
    r->settings->columns.missed_run_window_ms = read_count(r, path, value, WINDOW_MOST_MS);
}

static void read_jitter(struct reading *r, const char *path, const json_t *value)
{
    r->settings->columns.jitter_ms = read_count(r, path, value, JITTER_MOST_MS);
}

static const struct {
    const char *name;
    bool required, named;
    void (*read)(struct reading *r, const char *path, const json_t *value);
} members[] = {
    {"cronExpression", true, false, read_cron},
    {"timezone", false, false, read_timezone},
    {"inputData", false, false, read_input},
    {"overlapPolicy", false, false, read_overlap},
    {"missedRunPolicy", false, false, read_missed},
    {"missedRunWindowMs", false, false, read_window},
    {"jitterMs", false, false, read_jitter},
    {"name", false, true, read_name},
    {"version", false, true, read_version},
    {"isActive", false, true, read_active},
};

static void unknown_find(struct reading *r, const json_t *object, bool named, const char *path)
{
    const char *names[countof(members)];
    size_t n = 0;
    for (size_t i = 0; i < countof(members); i++)
        if (named || !members[i].named)
            names[n++] = members[i].name;
    problem_unknown_members(r->problems, path, object, names, n);
}

void schedule_settings_read(struct service *service, const json_t *object, bool named,
                            const char *path, json_t *problems,
                            struct schedule_settings *settings_r)
{
    struct reading r = {service, settings_r, problems};
    *settings_r = (struct schedule_settings){.columns = {.overlap_policy = OVERLAP_DEFAULT,
                                                         .missed_run_policy = MISSED_DEFAULT,
                                                         .missed_run_window_ms = WINDOW_DEFAULT,
                                                         .active = true},
                                             .nothing = json_null()};
    settings_r->input = settings_r->nothing;
    if (!json_is_object(object)) {
        problem_add(problems, path, "must be an object");
        return;
    }
    unknown_find(&r, object, named, path);
    for (size_t i = 0; i < countof(members); i++) {
        const json_t *value = json_object_get(object, members[i].name);
        bool given = value != NULL && !json_is_null(value);
        autofree char *place = problem_path(path, members[i].name);
        if (given && (named || !members[i].named))
            members[i].read(&r, place, value);
        else if (!given && members[i].required)
            problem_add(problems, place, "is required");
    }
    if (settings_r->columns.timezone == NULL) {
        jx_auto *utc = json_string(TIMEZONE_DEFAULT);
        autofree char *place = problem_path(path, "timezone");
        read_timezone(&r, place, utc);
        settings_r->columns.timezone = TIMEZONE_DEFAULT;
    }
}

void schedule_settings_clear(struct schedule_settings *settings)
{
    zone_unref(settings->zone);
    json_decref(settings->nothing);
    free(settings->input_text);
}

/* ---- times ---- */

/* Between 0 and jitter; the same whenever it is asked, so that a preview is right. */
static int64_t jitter_of(const char *id, int64_t scheduled_for, int64_t jitter)
{
    uint8_t digest[SHA256_SIZE];
    uint64_t number;
    if (jitter <= 0)
        return 0;
    autofree char *text = xasprintf("%s/%" PRId64, id, scheduled_for);
    hash_sha256(text, strlen(text), digest);
    memcpy(&number, digest, sizeof(number));
    return (int64_t)(number % (uint64_t)(jitter + 1));
}

struct schedule_time schedule_time_next(const struct cron *cron, const struct zone *zone,
                                        const char *id, int64_t jitter, int64_t after)
{
    int64_t at;
    int64_t seconds = after / CLOCK_SECOND - (after % CLOCK_SECOND < 0);
    if (!cron_next(cron, zone, seconds, &at))
        return (struct schedule_time){0, 0};
    at *= CLOCK_SECOND;
    return (struct schedule_time){at, at + jitter_of(id, at, jitter)};
}
