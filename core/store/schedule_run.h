/* What the scheduler reads and writes: schedules that are due, and their runs. */
#ifndef C9_STORE_SCHEDULE_RUN_H
#define C9_STORE_SCHEDULE_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "host/storage.h"
#include "store/schedule.h"

/* A schedule whose time has come. Texts are owned by the struct. */
struct schedule_due {
    char id[UUID_SIZE], agent_id[UUID_SIZE], organization_id[UUID_SIZE], user_id[UUID_SIZE];
    char *cron_expression, *timezone, *version, *input; /* the last two may be NULL */
    char overlap_policy[16], missed_run_policy[8];
    int64_t missed_run_window, jitter; /* µs */
    int64_t scheduled_for, at, last_scheduled_for, revision;
    char run_id[UUID_SIZE]; /* of a queued run, else "" */
};
void schedule_due_free(struct schedule_due *due); /* what it owns */

/* Up to max schedules due at `now`, the longest due first. Returns how many, or -1. */
int store_schedule_due(struct storage *storage, int64_t now, size_t max, struct schedule_due *due_r,
                       struct error *err);
/* Up to max queued runs whose schedule runs nothing now: for each the oldest. run_id is set, and
 * scheduled_for is the run's. Returns how many, or -1. */
int store_schedule_queued(struct storage *storage, size_t max, struct schedule_due *due_r,
                          struct error *err);
/* Whether runs of active schedules are queued. */
int store_schedule_any_queued(struct storage *storage, bool *any_r, struct error *err);
/* The least next_execution_at; INT64_MAX: there is none. */
int store_schedule_next(struct storage *storage, int64_t *at_r, struct error *err);
/* The ids of executions of the schedule that have not ended (up to max), and how many runs are
 * queued. Returns how many ids, or -1. */
int store_schedule_active(struct storage *storage, const char *id, size_t max,
                          char (*ids_r)[UUID_SIZE], int64_t *queued_r, struct error *err);

/* The schedule moves on from `from`; conflicts when it has moved, changed or been paused. */
void store_schedule_advance(struct storage_batch *batch, const struct schedule_due *from,
                            struct schedule_time next, const char *outcome, int64_t last_for,
                            const int64_t *executed_at);
/* Pauses it: nothing can come of it any more. Conflicts as above. */
void store_schedule_halt(struct storage_batch *batch, const struct schedule_due *due,
                         const char *outcome, int64_t now);

struct schedule_run_row {
    char id[UUID_SIZE];
    const char *schedule_id, *outcome;
    const char *execution_id, *reason, *error_code;    /* each may be NULL */
    int64_t scheduled_for, missed_count, missed_until; /* the last two 0 unless missed */
    bool by_hand;
    int64_t at;
};
/* Conflicts when this time of the schedule has come already, unless the row is of missed ones. */
void store_schedule_run_insert(struct storage_batch *batch, const struct schedule_run_row *row);
/* From queued to what became of it; conflicts when it is not queued any more. */
void store_schedule_run_leave(struct storage_batch *batch, const struct schedule_run_row *row);
/* An execution of this batch is one of the schedule. */
void store_schedule_execution(struct storage_batch *batch, const char *execution_id,
                              const char *schedule_id);
/* Runs of the schedule from before a time. */
void store_schedule_forget(struct storage_batch *batch, const char *schedule_id, int64_t before);

/* For a clock that was set back: schedules that have come later than `after` are calculated anew.
 */
void store_schedule_reset(struct storage_batch *batch, int64_t after);

#endif
