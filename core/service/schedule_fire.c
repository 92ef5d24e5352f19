/* Schedules whose time has come. Each becomes one batch: the schedule moves on, the run's row, the
 * execution. It is durable whole or not at all, and a time has one row, so that no crash, no second
 * process and no change of the clock loses or repeats a run. */
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "host/storage.h"
#include "service/execution.h"
#include "service/launch_row.h"
#include "service/schedule.h"
#include "service/schedule_execution.h"
#include "service/schedule_settings.h"
#include "service/service-private.h"
#include "store/schedule_run.h"

enum {
    WAVE = 256,             /* schedules that are committed together */
    ACTIVE_MAX = 100,       /* executions of one schedule that cancelRunning cancels */
    MISSED_COUNTED = 100000 /* missed runs that are counted one by one */
};
#define QUEUE_POLL  CLOCK_SECOND /* while runs are queued */
#define CLOCK_SLACK (3 * 3600 * CLOCK_SECOND)

struct wave {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    size_t left, done;    /* still to come; committed */
    struct error failure; /* the first that is not a conflict */
};

struct firing {
    struct service *service;
    struct wave *wave;
    struct schedule_due due;
    int64_t now;
    struct cron cron;
    struct zone *zone;
    struct storage_batch *batch;
    struct schedule_time next; /* when this has come */
    int64_t run_statement;     /* of the run's row in the batch; -1: none */
    bool repeated;             /* this time has come before */
};

static void firing_clear(struct firing *f)
{
    zone_unref(f->zone);
    schedule_due_free(&f->due);
}

static struct schedule_time time_after(const struct firing *f, int64_t after)
{
    return schedule_time_next(&f->cron, f->zone, f->due.id, f->due.jitter, after);
}

/* ---- what was missed ---- */

struct missed {
    int64_t first, last, count; /* count 0: nothing */
};

static void missed_add(struct missed *missed, int64_t scheduled_for)
{
    if (missed->count++ == 0)
        missed->first = scheduled_for;
    missed->last = scheduled_for;
}

/* How many of the missed ones `all` leaves out, since there are more than it makes up for. */
static int64_t all_excess(const struct firing *f, struct schedule_time time, int64_t oldest,
                          int64_t on_time)
{
    int64_t n = 0;
    for (; time.at != 0 && time.at < on_time && n < MISSED_COUNTED;
         time = time_after(f, time.scheduled_for))
        n += time.scheduled_for >= oldest;
    return n - f->service->schedules->catch_up;
}

/* The first time from the one that is due on which is to run: now, or later. */
static struct schedule_time catch_up(const struct firing *f, struct missed *missed)
{
    const struct schedule_due *due = &f->due;
    struct schedule_time time = {due->scheduled_for, due->at};
    int64_t on_time = f->now - f->service->schedules->late;
    int64_t oldest = f->now - due->missed_run_window;
    bool skip = strcmp(due->missed_run_policy, "skip") == 0;
    bool all = strcmp(due->missed_run_policy, "all") == 0;
    int64_t excess = all && time.at < on_time ? all_excess(f, time, oldest, on_time) : 0;
    while (time.at != 0 && time.at < on_time) {
        struct schedule_time next = time_after(f, time.scheduled_for);
        bool in_window = time.scheduled_for >= oldest;
        bool last = next.at == 0 || next.at > f->now;
        if (!skip && in_window && (all ? excess <= 0 : last))
            break;
        excess -= in_window;
        missed_add(missed, time.scheduled_for);
        time = missed->count < MISSED_COUNTED ? next : time_after(f, on_time);
    }
    return time;
}

static void missed_record(struct firing *f, const struct missed *missed)
{
    struct schedule_run_row row = {.schedule_id = f->due.id,
                                   .outcome = "missed",
                                   .reason = "c9d was not running, or the clock was set ahead",
                                   .scheduled_for = missed->first,
                                   .missed_count = missed->count,
                                   .missed_until = missed->last,
                                   .at = f->now};
    uuid_make(row.id);
    store_schedule_run_insert(f->batch, &row);
}

/* ---- one run ---- */

void schedule_execution_add(struct storage_batch *batch, const struct launch_row *row,
                            const char *user_id, const struct schedule_run_row *run,
                            const char *input)
{
    char scheduled_for[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(run->scheduled_for, scheduled_for);
    jx_auto *context =
        json_pack("{s:{s:s, s:s, s:s, s:s}}", "trigger", "type", "schedule", "scheduleId",
                  run->schedule_id, "runId", run->id, "scheduledFor", scheduled_for);
    launch_row_add(batch, row, run->execution_id, user_id, input, context, run->at);
    store_schedule_execution(batch, run->execution_id, run->schedule_id);
}

/* Whether it could be executed now, in the name of who made the schedule. The store's failures are
 * returned; all others are why this run failed. */
static int run_prepare(struct firing *f, const char *execution_id, struct launch_row *prepared_r,
                       struct error *why, struct error *err)
{
    const struct schedule_due *due = &f->due;
    struct principal who;
    error_auto failure = ERROR_INIT;
    const char *text = due->input != NULL ? due->input : "null";
    jx_auto *input = jx_decode(text, strlen(text), "inputData", &failure);
    if (input != NULL &&
        execution_principal(f->service, due->user_id, due->organization_id, &who, &failure) == 0 &&
        launch_row_prepare(f->service, &who, due->agent_id, due->version, execution_id, input,
                           prepared_r, &failure) == 0)
        return 0;
    return failure.code == E_STORAGE_FAILED ? error_move(err, &failure)
                                            : (error_move(why, &failure), 0);
}

/* Fills the row's outcome and adds the execution, if it is one. */
static int run_begin(struct firing *f, struct schedule_run_row *row, struct error *why,
                     char execution_id[UUID_SIZE], struct launch_row *prepared_r, struct error *err)
{
    uuid_make(execution_id);
    if (run_prepare(f, execution_id, prepared_r, why, err) < 0)
        return -1;
    row->outcome = prepared_r->launch != NULL ? "started" : "failed";
    if (prepared_r->launch != NULL) {
        row->execution_id = execution_id;
        return 0;
    }
    row->reason = why->message;
    row->error_code = error_row(why->code)->name;
    log_warn("schedule.failed", "schedule %s: %s", f->due.id, why->message);
    return 0;
}

/* ---- overlap ---- */

static int cancel_running(struct firing *f, const char (*ids)[UUID_SIZE], int n)
{
    struct principal who;
    error_auto err = ERROR_INIT;
    if (execution_principal(f->service, f->due.user_id, f->due.organization_id, &who, &err) < 0)
        return 0; /* then the run fails, and says so */
    for (int i = 0; i < n; i++) {
        error_auto failure = ERROR_INIT;
        jx_auto *execution = NULL;
        if (execution_cancel(f->service, &who, ids[i], &execution, &failure) < 0 &&
            failure.code != E_INVALID_STATE)
            log_warn("schedule.cancel", "execution %s: %s", ids[i], failure.message);
    }
    return 0;
}

/* 1: the row says what becomes of the run instead of being started; reason is kept in `text`. */
static int overlap_decide(struct firing *f, struct schedule_run_row *row, char **text,
                          struct error *err)
{
    char ids[ACTIVE_MAX][UUID_SIZE];
    int64_t queued;
    const char *policy = f->due.overlap_policy;
    if (strcmp(policy, "allow") == 0)
        return 0;
    int n = store_schedule_active(f->service->storage, f->due.id, ACTIVE_MAX, ids, &queued, err);
    if (n < 0)
        return -1;
    if (strcmp(policy, "cancelRunning") == 0)
        return cancel_running(f, (const char(*)[UUID_SIZE])ids, n);
    if (n == 0 && queued == 0)
        return 0;
    bool queue = strcmp(policy, "queue") == 0;
    if (queue && queued < f->service->schedules->queue) {
        row->outcome = "queued";
        return 1;
    }
    row->outcome = "skipped";
    row->reason = *text =
        queue ? xasprintf("%ld runs are queued already: [schedules] queue", (long)queued)
              : xasprintf("execution %s has not ended", n > 0 ? ids[0] : "before it");
    return 1;
}

/* ---- one schedule ---- */

static void advance(struct firing *f, const char *outcome, int64_t last_for,
                    const int64_t *executed_at)
{
    store_schedule_advance(f->batch, &f->due, f->next, outcome, last_for, executed_at);
}

static int fire_time(struct firing *f, struct schedule_time time, struct error *err)
{
    autofree char *text = NULL;
    error_auto why = ERROR_INIT;
    char execution_id[UUID_SIZE];
    launch_row_auto prepared = {NULL};
    struct schedule_run_row row = {
        .schedule_id = f->due.id, .scheduled_for = time.scheduled_for, .at = f->now};
    uuid_make(row.id);
    int decided = overlap_decide(f, &row, &text, err);
    if (decided < 0 || (decided == 0 && run_begin(f, &row, &why, execution_id, &prepared, err) < 0))
        return -1;
    f->next = time_after(f, time.scheduled_for);
    advance(f, row.outcome, time.scheduled_for, prepared.launch != NULL ? &f->now : NULL);
    f->run_statement = (int64_t)storage_batch_count(f->batch);
    store_schedule_run_insert(f->batch, &row);
    if (prepared.launch != NULL)
        schedule_execution_add(f->batch, &prepared, f->due.user_id, &row,
                               f->due.input != NULL ? f->due.input : "null");
    store_schedule_forget(f->batch, f->due.id, f->now - f->service->schedules->history);
    return 0;
}

/* Its expression or zone is not to be had any more: somebody has to look at it. */
static void fire_halt(struct firing *f, const struct error *why)
{
    struct schedule_run_row row = {.schedule_id = f->due.id,
                                   .outcome = "failed",
                                   .reason = why->message,
                                   .error_code = error_row(why->code)->name,
                                   .scheduled_for = f->now,
                                   .at = f->now};
    log_error("schedule.paused", "schedule %s: %s", f->due.id, why->message);
    store_schedule_halt(f->batch, &f->due, row.outcome, f->now);
    uuid_make(row.id);
    store_schedule_run_insert(f->batch, &row);
}

static int fire_build(struct firing *f, struct error *err)
{
    error_auto why = ERROR_INIT;
    struct missed missed = {0, 0, 0};
    f->batch = storage_batch_new();
    f->run_statement = -1;
    f->zone = zones_get(f->service->schedules->zones, f->due.timezone, &why);
    if (f->zone == NULL || cron_parse(f->due.cron_expression, &f->cron, &why) < 0) {
        fire_halt(f, &why);
        return 0;
    }
    struct schedule_time time =
        f->due.scheduled_for != 0 ? catch_up(f, &missed) : time_after(f, f->now);
    bool comes = time.at != 0 && time.at <= f->now;
    int result = 0;
    if (comes)
        result = fire_time(f, time, err);
    if (!comes) {
        f->next = time;
        advance(f, missed.count > 0 ? "missed" : NULL,
                missed.count > 0 ? missed.last : f->due.last_scheduled_for, NULL);
    }
    if (missed.count > 0)
        missed_record(f, &missed);
    return result;
}

/* A run that waited for the one before it. */
static int queued_build(struct firing *f, struct error *err)
{
    error_auto why = ERROR_INIT;
    char execution_id[UUID_SIZE];
    launch_row_auto prepared = {NULL};
    struct schedule_run_row row = {
        .schedule_id = f->due.id, .scheduled_for = f->due.scheduled_for, .at = f->now};
    memcpy(row.id, f->due.run_id, UUID_SIZE);
    f->batch = storage_batch_new();
    f->run_statement = -1;
    if (run_begin(f, &row, &why, execution_id, &prepared, err) < 0)
        return -1;
    store_schedule_run_leave(f->batch, &row);
    if (prepared.launch != NULL)
        schedule_execution_add(f->batch, &prepared, f->due.user_id, &row,
                               f->due.input != NULL ? f->due.input : "null");
    return 0;
}

/* ---- a wave of them ---- */

/* On the driver's thread. A conflict means that somebody else was faster, or that the time has come
 * before. */
static void committed(void *arg, struct error *err)
{
    struct firing *f = arg;
    struct wave *wave = f->wave;
    pthread_mutex_lock(&wave->lock);
    wave->done += err == NULL;
    if (err != NULL && err->code == E_INVALID_STATE)
        f->repeated =
            f->run_statement >= 0 && jx_int(err->details, "statement", -1) == f->run_statement;
    else if (err != NULL && wave->failure.code == E_NONE)
        error_set(&wave->failure, err->code, "%s", err->message);
    if (--wave->left == 0)
        pthread_cond_signal(&wave->wake);
    pthread_mutex_unlock(&wave->lock);
}

static int repeated_advance(struct firing *f, struct error *err)
{
    static const struct conflict conflicts[] = {{0, E_INVALID_STATE, ""}, {-1, E_NONE, NULL}};
    error_auto failure = ERROR_INIT;
    f->batch = storage_batch_new();
    advance(f, NULL, f->due.last_scheduled_for, NULL);
    if (service_commit(f->service, f->batch, conflicts, &failure) == 0 ||
        failure.code == E_INVALID_STATE)
        return 0;
    return error_move(err, &failure);
}

/* All of them, each by itself; waits for the last. *stuck_r: none of them was moved on, by us. */
static int wave_run(struct firing *firings, int n,
                    int (*build)(struct firing *f, struct error *err), bool *stuck_r,
                    struct error *err)
{
    struct wave wave = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 1, 0, ERROR_INIT};
    int failed = 0;
    for (int i = 0; i < n && failed == 0; i++) {
        struct firing *f = &firings[i];
        f->wave = &wave;
        failed = build(f, err);
        if (failed < 0) {
            storage_batch_free(f->batch);
            break;
        }
        pthread_mutex_lock(&wave.lock);
        wave.left++;
        pthread_mutex_unlock(&wave.lock);
        storage_submit(f->service->storage, f->batch, committed, f);
    }
    pthread_mutex_lock(&wave.lock);
    wave.left--;
    while (wave.left > 0)
        pthread_cond_wait(&wave.wake, &wave.lock);
    pthread_mutex_unlock(&wave.lock);
    pthread_mutex_destroy(&wave.lock);
    pthread_cond_destroy(&wave.wake);
    if (failed == 0 && wave.failure.code != E_NONE)
        failed = error_move(err, &wave.failure);
    error_clear(&wave.failure);
    for (int i = 0; i < n && failed == 0; i++)
        if (firings[i].repeated) {
            wave.done++;
            failed = repeated_advance(&firings[i], err);
        }
    if (n > 0)
        service_nudge(firings[0].service);
    *stuck_r = wave.done == 0;
    return failed;
}

typedef int read_fn(struct service *service, int64_t now, struct schedule_due *due_r,
                    struct error *err);

static int read_due(struct service *service, int64_t now, struct schedule_due *due_r,
                    struct error *err)
{
    return store_schedule_due(service->storage, now, WAVE, due_r, err);
}

static int read_queued(struct service *service, int64_t now, struct schedule_due *due_r,
                       struct error *err)
{
    (void)now;
    return store_schedule_queued(service->storage, WAVE, due_r, err);
}

/* How many there were; -1: failed. */
static int fire_some(struct service *service, int64_t now, read_fn *read,
                     int (*build)(struct firing *f, struct error *err), bool *stuck_r,
                     struct error *err)
{
    struct schedule_due *due = xcalloc(WAVE, sizeof(*due));
    struct firing *firings = xcalloc(WAVE, sizeof(*firings));
    int n = read(service, now, due, err);
    for (int i = 0; i < n; i++)
        firings[i] = (struct firing){.service = service, .now = now, .due = due[i]};
    int result = n > 0 ? wave_run(firings, n, build, stuck_r, err) : n;
    for (int i = 0; i < n; i++)
        firing_clear(&firings[i]);
    free(firings);
    free(due);
    return result < 0 ? -1 : n;
}

int schedule_fire(struct service *service, int64_t now, int64_t *next_r, struct error *err)
{
    bool queued, stuck = false, stuck_queued = false;
    int n = fire_some(service, now, read_due, fire_build, &stuck, err);
    if (n < 0 || store_schedule_any_queued(service->storage, &queued, err) < 0 ||
        (queued && fire_some(service, now, read_queued, queued_build, &stuck_queued, err) < 0) ||
        store_schedule_next(service->storage, next_r, err) < 0)
        return -1;
    if (queued && *next_r > now + QUEUE_POLL)
        *next_r = now + QUEUE_POLL;
    if (stuck && *next_r <= now) /* others have them, or something is wrong: not at once again */
        *next_r = now + QUEUE_POLL;
    return 0;
}

int schedule_clock_set(struct service *service, int64_t now, struct error *err)
{
    struct storage_batch *batch = storage_batch_new();
    store_schedule_reset(batch, now + CLOCK_SLACK);
    return storage_commit(service->storage, batch, err);
}
