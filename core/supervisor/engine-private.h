/* What the engine's files share. Everything here belongs to the engine thread unless it says
 * otherwise. */
#ifndef C9_SUPERVISOR_ENGINE_PRIVATE_H
#define C9_SUPERVISOR_ENGINE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <uthash.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/work.h"
#include "schema/schema.h"
#include "store/execution.h"
#include "supervisor/engine.h"
#include "supervisor/fetch.h"
#include "supervisor/guard.h"
#include "supervisor/hold.h"
#include "supervisor/secrets.h"

struct check;
struct effect;
struct loading;
struct sending;
struct run;
struct seat;
struct slot;

/* A model provider with what is under way to it. */
struct provider {
    struct model *model;
    int64_t in_flight;
    struct chat *line, **line_end; /* waiting for concurrency */
};

/* Who sends notifications of webhooks. */
struct notifier {
    _Atomic bool wanted; /* there is, or was, a webhook; any thread */
    struct sending *all;
    int64_t sending, sending_max;
    bool claiming, again, all_void; /* all_void: leases of a former life were taken off */
    struct loop_timer timer;
};

/* Commits that wait for others: company.c. */
struct company {
    struct run *fresh; /* those that compute since a moment ago, oldest first */
    int n_fresh, cpus, n;
    struct commit *first, **end;
    struct loop_timer timer;
};

struct engine {
    struct engine_parts parts;
    struct loop *loop;
    pthread_t thread, queue_thread;
    bool started;
    struct work_pool *pool;
    struct fetcher *model_fetcher, *skill_fetcher;
    struct fetch_text *texts; /* under way */
    struct guard *guard;
    struct secrets *secrets;
    struct provider *providers; /* n_models */
    struct run *runs;           /* hash by id */
    struct leaver *leavers;     /* executors whose runs went on without them */
    struct line *lines, *turns; /* admitted, but over the limit of running ones: turn.c */
    int64_t n_running;          /* runs that have or have asked for an executor */
    int64_t n_children;         /* of these, executed by executions */
    int64_t children_max;       /* of one brood */
    int64_t executors_max;      /* by descriptors */
    int64_t running_max, live_max, attempts_max, grace_us, drain_us, lease_us, depth_max;
    int64_t evict_us; /* 0: nothing is evicted */
    int64_t asks_max, journal_bytes_max, journal_effects_max, journal_request_max;
    char owner[96];                                 /* of leases: "NODE/BOOT" */
    uint8_t secret[32];                             /* seeds of executions derive from it */
    _Atomic int64_t n_live;                         /* any thread */
    _Atomic bool draining;                          /* any thread */
    struct organization_limit *organization_limits; /* hash: their own, below per_organization */
    int64_t per_organization;                       /* executions that run at once; 0: any number */
    struct notifier notifier;
    struct company company;
    struct slot *slots; /* hash by name */
    struct loop_timer active_look;
    struct loop_timer slot_look;
    bool over;          /* it is being freed: nothing begins any more */
    struct seat *seats; /* hash by id: who waits for executions that are not live */
    int queue_kick;     /* eventfd: wakes the queue's thread */
    _Atomic bool queue_stop;
    _Atomic bool starved;  /* there may be more to claim than there was room for */
    _Atomic bool doubtful; /* what was to give us a lease failed, or was only said to have */
};

/* ---- commits: what an execution makes durable, in order, one batch at a time ----------------- */

struct commit {
    struct run *run;
    struct storage_batch *batch;
    size_t bytes;       /* about how much it holds */
    struct buf answers; /* frames for the executor, sent when this is durable */
    int64_t last_seq;   /* events up to here become visible; 0: none new */
    bool inserts, ends; /* inserts: the row, its first statement */
    bool notifies;      /* a delivery of a webhook is in it */
    bool retries;       /* the next attempt follows when run->available_at has come */
    bool releases;      /* the row has no lease from then on: the run is let go */
    bool settles;       /* a signal: run_signal_settled */
    bool asks;          /* effects that wait for it are asked again */
    bool starts;        /* the start that waits for it is counted */
    char *blocked_on;   /* the name of the slot in whose store it waits then; NULL: none */
    json_t *children;   /* {id: …} that are to be cancelled with it; NULL: none */
    bool failed;        /* set when it came back; then: */
    struct error err;
    struct commit *next; /* in engine->company */
};

/* An effect that was answered before, in a former life. */
struct replay {
    int64_t seq;
    unsigned kind;
    char digest[SHA256_HEX_SIZE]; /* "": any request of this kind */
    char *answer, *request;       /* request: NULL when it was not kept */
    size_t answer_len, request_len;
    bool is_error, asked, copied;
    struct execution_usage cost; /* for replays that count anew */
};

/* An effect that was under way when a former life ended: how often it was asked in all. */
struct ask {
    int64_t seq, asks;
};

enum wait_kind { WAIT_SLEEP, WAIT_SIGNAL, WAIT_EXECUTION };

/* A request that is nothing but waiting. It may last longer than its effect: over an eviction. */
struct wait {
    struct wait *next;
    int64_t seq;
    enum wait_kind kind;
    char *name;            /* of the signal; the child's id; NULL for a sleep */
    char *schema_text;     /* or NULL */
    int64_t since, until;  /* wall µs; until 0: no limit */
    bool stored;           /* has a row, or the batch that makes it is under way */
    bool unsure;           /* the execution it is for may not be stored: nothing would wake it */
    bool look;             /* signals are to be looked for */
    struct effect *effect; /* NULL: not asked for in this life, or given up */
    struct schema *schema;
    struct loop_timer timer;
};

enum { RUN_SLOTS_MAX = 3 }; /* of its key, agent and organization */
/* One slot that a run holds. */
struct slot_use {
    struct slot *slot;
    struct run *run;
    bool counts; /* false: shared with an ancestor */
    struct slot_use *next, **place;
};

enum run_end_kind { RUN_GOES_ON, RUN_COMPLETED, RUN_FAILED, RUN_CANCELLED };

struct run {
    struct executor_user user; /* first: cast back */
    struct engine *engine;
    char id[UUID_SIZE];
    struct launch *launch;
    char *user_id, *parent_id, *context, *version_note;
    char *input; /* given back once it is stored and was sent */
    size_t input_len;
    int64_t priority, created_at, started_at, ended_at;
    int64_t starts;       /* of this attempt, that were made: START was sent */
    int64_t starts_kept;  /* what the row says of them, or will with what is under way */
    int64_t available_at; /* wall µs: not to be started before; 0: at once */
    int64_t retries;      /* attempts that have failed */
    int64_t attempt_seq;  /* events up to here are of those */
    int64_t attempt_started_at;
    char *concurrency_key;              /* or NULL */
    char *webhook_url, *webhook_secret; /* until it is stored; or NULL */
    unsigned depth;                     /* of executions by executions */

    struct executor *executor;
    bool asked;     /* for an executor, and not yet given one */
    bool counted;   /* in n_running: it has a place */
    bool durable;   /* its row is stored: effects may begin */
    bool started;   /* the row says running, or the batch that says it is under way */
    bool ephemeral; /* has no row: a rehearsal */
    bool loading;   /* a pool thread reads the store for it */
    bool cancelling;
    bool input_sent;  /* START was sent, since it was read from the store */
    bool checking;    /* its output, against the schema: it has ended by itself */
    bool interrupted; /* to be taken up again from the store when its executor is gone */
    bool in_brood;    /* counted in brood->live: executed by an execution */
    int64_t pause_us; /* before it is taken up again: its last commit failed */
    bool excused;     /* its next start is none: the last was cut short by a commit that failed */
    bool killed;      /* its last executor was killed by another than us */
    bool dropped;     /* refused, or all ends: say and write nothing more */
    bool exhausted;   /* started too often: not tried again */
    char superseded_by[UUID_SIZE];
    bool unleased; /* its row has no lease, or will have none with the next commit */

    struct loading *paused; /* what is to read the store for it, later; NULL: nothing */

    struct commit *next, *flying;
    struct loop_timer wall, flush, grace, again, evict;

    struct slot_use uses[RUN_SLOTS_MAX]; /* that it holds */
    unsigned n_uses;
    struct slot *blocked_on; /* in its line */
    struct run *slot_next, **slot_place;

    struct wait *waits;    /* in order of seq */
    bool idle;             /* it does nothing but to wait: its wall time stands still … */
    bool yielding;         /* … and it was asked whether that is so */
    bool evicting;         /* its executor is being ended, or its last commit is under way */
    bool reclaimed;        /* its lease had ended, and was taken again while it was being read */
    bool looking;          /* a pool thread looks for a signal */
    bool settling;         /* a signal is on its way into the journal */
    int64_t active_us;     /* wall time of this attempt, until it was awake last */
    int64_t awake_at;      /* monotonic µs; 0: it is not */
    int64_t active_stored; /* of active_us, in the row */
    char *seed_id;         /* whose seed it has; NULL: its own */
    char *origin_id, *origin_kind; /* until it is stored */
    struct journal_copy journal;   /* the same: what its journal begins with */

    bool catching_up;    /* taken up again, and its executor has not read all that is old */
    bool fenced;         /* it was asked whether it has … */
    size_t fenced_at;    /* … when this was the next replay */
    struct buf behind;   /* frames of new answers, until then */
    bool frontier;       /* what it asks until then may have been under way at its former end */
    int64_t answered_at; /* wall µs: of the last answer in the journal */
    struct ask *asks;
    size_t n_asks;
    int64_t journal_bytes, journal_effects;

    struct effect *effects; /* as asked; under way or waiting for the row to be durable */
    uint64_t last_request;
    unsigned n_pending;
    int64_t held; /* bytes: of its effects, checks and replays; hold.h has the rest */
    struct check *checks, *checks_last; /* the first is on a pool thread */
    int64_t check_cpu_us;
    struct replay *replays; /* in the order answered */
    size_t n_replays, next_replay;

    int64_t seq;            /* of the last event */
    uint64_t notice;        /* of the executor's last notice */
    uint64_t notice_stored; /* notices up to here are stored since a former life */
    struct buf delta;       /* streamed text not yet in an event */
    int64_t delta_request;
    int64_t log_bytes, log_count, emit_count;
    struct execution_usage usage;
    int64_t aborted_calls;                  /* of usage.api_calls: the journal does not know them */
    int64_t children_tokens, children_cost; /* of its executions that have ended, and of theirs */
    struct brood
        *brood; /* the places below its first ancestor, shared; NULL: nothing below it yet */

    enum run_end_kind end; /* the first that is decided stays */
    char *output;          /* JSON text */
    char *error;           /* JSON text */
    char *error_message;
    struct execution_watch *watchers;

    json_t *rehearsal;
    const struct replay_order
        *recorded; /* it is a replay: every effect is answered from a journal */
    bool *used;    /* of its entries, when it is loose */
    json_t *report;
    void (*on_event)(void *arg, const char *type, const char *data, size_t len);
    void *on_event_arg;

    int64_t fresh_at;                    /* when it was started, … */
    struct run *fresh_prev, *fresh_next; /* … in engine->company; prev NULL: it is not */
    struct line *line;                   /* it waits for a place in; NULL: it does not */
    struct run *line_prev, *line_next;
    UT_hash_handle hh;
};

enum {
    RUN_PENDING_MAX = 64, /* requests of one executor at a time */
    RUN_FRAME_SLACK =
        4096, /* a frame's JSON is bounded by output_max; this is for what stands around it */
};

/* A record with the ids of execution and agent as fields: run_log(run, log_info, "event", "text",
 * …). */
#define run_log(run, log_fn, ...)                                                                  \
    do {                                                                                           \
        log_bind("execution", (run)->id);                                                          \
        log_bind("agent", (run)->launch != NULL ? (run)->launch->agent_id : NULL);                 \
        log_fn(__VA_ARGS__);                                                                       \
        log_bind("execution", NULL);                                                               \
        log_bind("agent", NULL);                                                                   \
    } while (0)

/* run_frames.c: the executor's user, see executors.h */
void run_frame(struct executor_user *user, const struct wire_header *h, const uint8_t *payload);
/* The error of a call that the syscall policy refused. */
void denied_explain(const struct wire_denied *what, struct error *err);
void run_violated(struct executor_user *user, const char *why); /* also kills it */
/* company.c: commits that wait for others while more executions compute than there are CPUs. */
void company_begin(struct engine *engine);
void company_enter(struct run *run);    /* it computes from now on */
void company_leave(struct run *run);    /* not any more; any number of times */
void company_join(struct commit *c);    /* submits it, at once or within a few milliseconds */
void company_go(struct engine *engine); /* submits all that wait */
void company_fire(struct loop_timer *timer);
/* run_end.c */
void run_exited(struct executor_user *user, const struct executor_exit *how);
void run_wall_fire(struct loop_timer *timer);
void run_grace_fire(struct loop_timer *timer);
void run_watchers_end(struct run *run); /* tells them the outcome */
/* Its children that have not ended, or this one of them (NULL: all), wherever they are: are to be
 * cancelled, which is durable with its next commit. */
void run_children_cancel(struct run *run, const char *id);
/* What ResourceUsage says. */
struct usage_report {
    struct execution_usage own;
    int64_t children_tokens, children_cost;
};
void usage_append(const struct usage_report *usage, struct buf *out);
void run_usage_append(const struct run *run, struct buf *out);
struct usage_report run_usage(const struct run *run);

/* run.c */
struct run *run_new(struct engine *engine, const char *id,
                    struct launch *launch); /* takes a reference */
/* Executions by executions, all levels below one that nobody executed. Engine thread. */
struct brood {
    int64_t live, refs;
};
/* 0 when there is a place for one more below parent; E_UNAVAILABLE names what is full. */
int run_child_admissible(const struct run *parent, struct error *err);
void run_child_adopt(struct run *parent,
                     struct run *child); /* it takes its place, until run_free */
void run_admit(struct run *run);         /* it is known to the engine and may ask for an executor */
/* The start that waited for it is durably counted, and may be made. */
void run_start_counted(struct run *run);
/* How often it was started, and once more if it has a place and is about to be: what the row is to
 * say (store_execution_starts). */
int64_t run_starts(const struct run *run);
/* The Idempotency-Key under which an execution was asked for. */
struct run_key {
    char *key, *answer; /* answer: NULL for none */
    char request_sha256[SHA256_HEX_SIZE];
    int64_t expired;
};
enum { RUN_KEY_STATEMENT = 2 }; /* of the inserting commit: the row, the old keys, the key */
struct execution_row run_row(const struct run *run); /* as it is before it is stored */
/* Its row goes into the next commit, and with it the key (NULL: none), if it has one. */
void run_insert(struct run *run, const struct run_key *key);
void run_cancel(struct run *run);
/* Decides the end; the first decision stays. error is consumed (may be NULL for a completed one).
 */
void run_end_completed(struct run *run, const char *output, size_t len);
void run_end_failed(struct run *run, const struct error *err, const char *traceback);
void run_end_cancelled(struct run *run);
/* Cancels it for the sake of another. */
void run_supersede(struct run *run, const char *by);
/* Nothing was taken: its watchers are told, and nothing of it remains. */
void run_refuse(struct run *run, struct error *err);
void run_interrupt(struct run *run); /* takes it up again from the store */
void run_free(struct run *run);
void watchers_leave(struct execution_watch *watchers); /* tells a list to look into the store */
void run_replays_free(struct run *run);                /* and asks */
void run_watchers_leave(struct run *run);              /* tells them to look into the store */
void run_let_go(struct run *run); /* its row waits in the store; its watchers go on waiting */
void run_watch(struct run *run, struct execution_watch *watch);
struct run *run_find(struct engine *engine, const char *id);
void run_settle(struct run *run);        /* nothing of it runs any more: go on from there */
void run_executor_left(struct run *run); /* frees its place under running_max */
void engine_place_free(struct engine *engine, bool child); /* that an executor held */
/* Takes a run without an executor out of every line: none will be given to it any more. */
void run_leave_line(struct run *run);

/* leave.c */
/* After its final frame: the executor leaves by itself, and the run goes on as if it had. False:
 * its CPU time cannot be told yet; the run waits for it. */
bool run_leave_executor(struct run *run);
void leavers_free(struct engine *engine);

/* run_retry.c */
/* Instead of the end of a failed attempt: true when there will be another one. */
bool run_retry(struct run *run);
void run_retry_durable(struct run *run);
void run_again_fire(struct loop_timer *timer);

/* notifier.c */
void notifier_start(struct engine *engine);
void notifier_kick(struct engine *engine); /* any thread: something may be due */
/* engine_ops.send */
void notifier_send(void *engine, struct webhook_message *message,
                   void (*done)(void *arg, const struct webhook_attempt *attempt), void *arg);
void notifier_free(struct engine *engine);

/* slot.c */
/* Takes what it needs to run. False: it waits and run_admit will be called again, or it was brought
 * to an end. */
bool slots_take(struct run *run);
/* Whether it is not to be taken at all: by the policy reject there is no place for it. */
bool slots_refuse(struct run *run, struct error *err);
void slots_release(struct run *run); /* those who wait may go on */
void slots_leave_line(struct run *run);
/* One that waits in the store for the slot of this name has come there, or may have. */
void slots_stored(struct engine *engine, const char *name);
/* n executions wait in the store for the slot of this name. */
void slots_restore(struct engine *engine, const char *name, int64_t n);
/* What an organization has set for itself; 0: nothing. On the loop. */
void slots_limit_organization(struct engine *engine, const char *id, int64_t limit);
void slots_free(struct engine *engine);
void run_input_sent(struct run *run); /* or stored: when both, it is given back */

/* turn.c */
void turn_join(struct run *run);
void turn_leave(struct run *run);             /* when it is in one */
struct run *turn_next(struct engine *engine); /* takes the next one out; NULL: nobody waits */

/* check.c */
void check_value(struct effect *effect, struct schema *schema,
                 const json_t *value);                            /* answers it */
void check_output(struct run *run, const char *text, size_t len); /* ends the run */
void checks_drop(struct run *run); /* of what is under way nobody hears any more */

/* commit.c */
struct commit *commit_next(struct run *run); /* the one being filled */
void commit_free(struct commit *commit);     /* one that was not submitted; NULL is fine */
/* The first that is stored while it runs says so, and each how often it was started, if the row
 * does not; commit_go sees to it. */
void commit_started(struct run *run);
void commit_go(struct run *run);                 /* submit it, unless one is under way */
void commit_submit(struct commit *c, bool more); /* to the storage; more: another follows at once */
void commit_soon(struct run *run); /* within a few milliseconds, with what else comes */
void commit_event(struct run *run, const char *type, const char *data, size_t len, int64_t notice);
void commit_deltas(struct run *run); /* streamed text so far becomes an event */

/* waits.c */
enum { WAIT_STORED_US = 1000000 }; /* times from here on go on where they were after a crash */
struct wait_row;
struct wait *wait_of_row(const struct wait_row *row);
void wait_free(struct wait *wait);
void run_waits_free(struct run *run);
/* The effect waits from now on, or goes on with the wait that it began in a former life. timeout_us
 * 0: no limit. name and schema_text may be NULL. */
struct wait *wait_begin(struct effect *effect, enum wait_kind kind, const char *name,
                        const char *schema_text, int64_t timeout_us);
int64_t wait_left(const struct wait *wait); /* µs until `until` */
void wait_end(struct effect *effect);       /* the caller answers the effect */
/* Whenever an effect begins or ends: whether it only waits. */
void run_idle_check(struct run *run);
/* active.c: its wall time runs; stands still; is what the store has, or more. */
void run_awake(struct run *run);
void run_asleep(struct run *run);
void run_active_restore(struct run *run, int64_t stored);
/* What runs has its time kept now and then; when all stops, once more, on the loop. */
void active_start(struct engine *engine);
void active_stop(struct engine *engine);
void run_said_idle(struct run *run);
void run_evict_fire(struct loop_timer *timer);
void run_evict(struct run *run); /* its executor is gone: the last commit */
/* broker_wait.c */
void run_signalled(struct run *run); /* a signal was stored for it */
void run_signal_settled(struct run *run);

/* recover.c */
void run_load(struct run *run,
              int64_t after_us);     /* reads the store on a pool thread, then goes on */
void run_load_drop(struct run *run); /* the engine is freed before its time */
int engine_queue_start(struct engine *engine, struct error *err);
void engine_queue_stop(struct engine *engine);
void engine_queue_kick(struct engine *engine); /* any thread: there may be work to claim */

/* seat.c: watchers of executions that have ended nowhere and are not live here: delayed ones, those
 * let go between attempts. */
void seat_take(struct engine *engine, const char *id, struct execution_watch *watch);
/* Both ways between a run and the seat of its id. */
void seats_from_run(struct run *run);
void seats_to_run(struct run *run);
/* Tells those who wait for id to look into the store. */
void seats_leave(struct engine *engine, const char *id);
void seats_leave_all(struct engine *engine);
/* Takes back one that sits; false when it does not. */
bool seat_leave(struct engine *engine, struct execution_watch *watch);

/* broker.c */
struct effect {
    struct run *run;
    struct effect *prev, *next;
    uint64_t seq;
    unsigned kind;
    char digest[SHA256_HEX_SIZE];
    json_t *request;
    char *asked; /* the request's text, for the journal; NULL: longer than it keeps */
    size_t asked_len;
    struct error refused; /* already before it begins */
    int64_t asked_at;
    int64_t held; /* bytes, of run->held */
    bool begun;
    struct wait *wait;     /* NULL: it is no wait */
    struct commit *asking; /* it begins when this is durable */
    void (*abort)(
        struct effect *effect); /* stop and free `state`; answers nothing; NULL: nothing to stop */
    void *state;
};
/* broker_replay.c */
/* A request that was answered in a former life, and shall be again: true. */
bool broker_replay(struct run *run, uint64_t id, unsigned kind, const char *digest,
                   const json_t *request);
void broker_catch_up(struct run *run); /* its executor was just told to begin */
/* New answers, durable: sent when all that is old was read. */
void broker_answers(struct run *run, const struct buf *frames);
bool broker_said_idle(struct run *run); /* false: nothing of a replay, look at waits.c */
void broker_request(struct run *run, uint64_t id, const uint8_t *payload, size_t len);
void broker_row_durable(struct run *run); /* begin what waited for it */
void broker_asks_durable(struct run *run, const struct commit *commit);
void broker_abort(struct run *run); /* drop all effects */
void broker_deltas(struct run *run, uint64_t seq, const char *answer, size_t len);
/* Answers and ends the effect; json is new text or object. */
struct effect_cost {
    int64_t api_calls, tokens, cost_microcents;
};
void effect_answer(struct effect *effect, json_t *answer,
                   const struct effect_cost *cost); /* consumes answer */
/* text is JSON already; cost may be NULL. */
void effect_answer_text(struct effect *effect, const char *text, size_t len, bool is_error,
                        const struct effect_cost *cost);
void effect_refuse(struct effect *effect, const struct error *err, const struct effect_cost *cost);
/* Counts calls that were made and whose answers nobody will see. */
void effect_aborted(struct effect *effect, int64_t calls);
void effect_delta(struct effect *effect, const char *text, size_t len, bool to_executor,
                  bool to_events);
/* The Idempotency-Key of an effect's nth request: the same when it is asked again in another life,
 * another with each attempt of the execution. */
void effect_key(const struct effect *effect, int64_t n, char key_r[UUID_SIZE]);
/* Takes the next recorded reply of this kind; NULL: the effect was refused. New reference. */
json_t *effect_rehearsed(struct effect *effect, const char *kind);

/* broker_agent.c: tokens and cost of a run and of all that it executes, also of what still runs. */
struct spent {
    int64_t tokens, cost_microcents;
};
struct spent run_spent(const struct run *run);
/* The most that it may still spend: its own limits and those of whoever executed it, up to the
 * first. INT64_MAX: not limited. */
struct spent run_left(const struct run *run);
void run_children_replayed(struct run *run,
                           const struct replay *replay); /* counts a journaled child */

void broker_model_begin(struct effect *effect);
void broker_http_begin(struct effect *effect);
void broker_agent_begin(struct effect *effect);
void broker_sleep_begin(struct effect *effect);
void broker_wait_for_begin(struct effect *effect);

/* broker_recorded.c */
bool broker_is_recorded(const struct effect *effect); /* in a replay: to be answered from it */
void broker_recorded_begin(struct effect *effect);
int engine_replay(void *engine, const struct replay_order *order, struct replay_result *result_r,
                  struct error *err);
void engine_seed(void *engine, const char *execution_id, int64_t retries, uint8_t seed_r[32]);

/* describe.c */
int engine_describe(void *engine, const char *name, const char *source, size_t len,
                    json_t **manifest_r, struct error *err);
/* START and SKILL frames, shared by runs and descriptions. */
void engine_send_skill(struct buf *out, const char *name, const char *source, size_t len);

/* engine.c: run fn on the engine thread and wait for it; direct when already there. */
void engine_call(struct engine *engine, void (*fn)(void *arg), void *arg);

/* ---- GETs for the services ---- */

/* engine_ops.fetch: with the trust and the connections of model providers. */
int engine_fetch(void *engine, const char *url, size_t max, int64_t timeout_us,
                 void (*done)(void *arg, const char *body, size_t len, struct error *err),
                 void *arg, struct error *err);
/* Forgets those under way. Once the fetchers are gone. */
void engine_fetch_drop(struct engine *engine);

#endif
