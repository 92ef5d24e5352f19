/* What a client says of a schedule, checked all at once. */
#ifndef C9_SERVICE_SCHEDULE_SETTINGS_H
#define C9_SERVICE_SCHEDULE_SETTINGS_H

#include "cron/cron.h"
#include "service/service.h"
#include "store/schedule.h"

/* [schedules], and the zones that were asked for. */
struct schedule_context {
    struct zones *zones;
    int64_t per_agent, late, history, queue, catch_up;
    void (*wake)(void *arg);
    void *wake_arg;
};
int schedule_config_declare(struct config *config, struct error *err);
struct schedule_context *schedule_context_new(const struct config *config);
void schedule_context_free(struct schedule_context *context); /* NULL is fine */

struct schedule_settings {
    struct schedule_columns columns; /* borrows from the object and from here */
    struct cron cron;
    struct zone *zone;
    json_t *input; /* borrowed; never NULL */
    json_t *nothing;
    char *input_text;
};
/* named: name, version and isActive are taken too. Problems below path. What could be read is in
 * settings_r, which is to be cleared in any case. */
void schedule_settings_read(struct service *service, const json_t *object, bool named,
                            const char *path, json_t *problems,
                            struct schedule_settings *settings_r);
void schedule_settings_clear(struct schedule_settings *settings);

/* The first time after `after` and when it starts; {0,0} when there is none. All µs. */
struct schedule_time schedule_time_next(const struct cron *cron, const struct zone *zone,
                                        const char *id, int64_t jitter, int64_t after);

#endif
