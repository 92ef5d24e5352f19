/* Schedules of agents, and what became of their runs. */
#ifndef C9_STORE_SCHEDULE_H
#define C9_STORE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "store/list.h"

/* What a client decides. */
struct schedule_columns {
    const char *name, *cron_expression, *timezone;
    const char *version; /* NULL: latest */
    const char *input;   /* JSON text, or NULL */
    const char *overlap_policy, *missed_run_policy;
    int64_t missed_run_window_ms, jitter_ms;
    bool active;
};
/* When it comes next; at 0: never. */
struct schedule_time {
    int64_t scheduled_for, at;
};

/* One statement: conflicts unless the agent has fewer schedules than max. */
void store_schedule_limit(struct storage_batch *batch, const char *agent_id, int64_t max);
void store_schedule_insert(struct storage_batch *batch, const char *id, const char *agent_id,
                           const char *organization_id, const char *user_id,
                           const struct schedule_columns *columns, struct schedule_time next,
                           int64_t now);
/* Counts the revision up; conflicts unless it has this one. */
void store_schedule_update(struct storage_batch *batch, const char *id, int64_t revision,
                           const struct schedule_columns *columns, struct schedule_time next,
                           int64_t now);
/* Conflicts unless it is there with this revision (NULL: any). */
void store_schedule_delete(struct storage_batch *batch, const char *id, const int64_t *revision);

/* The schedule that an agent's triggerConfig describes: put in place of the one there may be, which
 * stays paused when it is. Two statements. */
void store_schedule_put(struct storage_batch *batch, const char *id, const char *agent_id,
                        const char *organization_id, const char *user_id,
                        const struct schedule_columns *columns, struct schedule_time next,
                        int64_t now);
/* Every schedule of the agent. */
void store_schedule_pause_all(struct storage_batch *batch, const char *agent_id, int64_t now);
void store_schedule_drop(struct storage_batch *batch, const char *agent_id);
/* The id of that schedule; "": there is none. */
int store_schedule_origin(struct storage *storage, const char *agent_id, char id_r[UUID_SIZE],
                          struct error *err);

struct schedule_meta {
    char id[UUID_SIZE], agent_id[UUID_SIZE]; /* id "": not there */
    char created_by[UUID_SIZE];
    char origin[8];
    int64_t revision, last_scheduled_for;
    struct schedule_time next;
    bool active;
};
/* One indexed SELECT; schedule_r may be NULL, and *schedule_r is when it is not there. */
int store_schedule_get(struct storage *storage, const char *id, struct schedule_meta *meta_r,
                       json_t **schedule_r, struct error *err);
/* Scope: organization, user, 1 when he sees all of the organization. */
extern const struct list store_schedule_list;
/* Scope: agent. */
extern const struct list store_agent_schedule_list;
/* Scope: schedule. */
extern const struct list store_schedule_run_list;

#endif
