/* What the services ask of the engine; implemented in core/supervisor. */
#ifndef C9_SERVICE_ENGINE_H
#define C9_SERVICE_ENGINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/uuid.h"

/* Everything needed to run one version of an agent. Immutable, refcounted, shared between threads
 * and cached: a published version never changes. */
struct launch_skill {
    const char *name, *source;
    size_t source_len;
    struct schema *input; /* NULL: takes anything */
};
struct launch_limits { /* from executionConfig.limits within the configured bounds */
    int64_t cpu_us, wall_us, memory, output_max, log_bytes, log_count, emit_count, requests;
    int64_t host_memory;             /* bytes that the supervisor holds for it */
    int64_t tokens, cost_microcents; /* 0: not limited */
};
struct launch_retry { /* from executionConfig.retry */
    int64_t attempts; /* 1: not tried again */
    int64_t backoff_us, backoff_max_us;
    double factor, jitter;
    const json_t *on; /* error codes; NULL: all that are not hopeless */
};
enum concurrency_policy { /* what becomes of an execution that there is no place for */
                          CONCURRENCY_QUEUE,
                          CONCURRENCY_REJECT,
                          CONCURRENCY_CANCEL_IN_PROGRESS, /* older ones make place */
                          CONCURRENCY_CANCEL_NEWEST       /* it is cancelled itself */
};
struct launch_concurrency { /* from executionConfig.concurrency */
    int64_t limit;          /* of the agent; 0: none */
    int64_t per_key;        /* of one concurrency key */
    const char *key;        /* JSON Pointer into the input, or NULL */
    enum concurrency_policy policy;
};
struct launch {
    char agent_id[UUID_SIZE], organization_id[UUID_SIZE];
    const char *agent_name, *version;
    const struct launch_skill *skills; /* the first is the entry point */
    size_t n_skills;
    struct launch_limits limits;
    struct launch_retry retry;
    struct launch_concurrency concurrency;
    struct schema *input_schema, *output_schema; /* NULL: anything */
    json_t *needs;       /* union of the manifests: {"model":[…],"http":[…],"agents":[…]} */
    const char *context; /* JSON object text: the members "agent" and "skills" of ctx */
    size_t context_len;
    int refs; /* atomic */
};
struct launch *launch_ref(struct launch *launch);
/* Of an execution whose agent or version is gone: it names them, and nothing can be started. */
struct launch *launch_gone(const char *agent_id, const char *organization_id);
void launch_unref(struct launch *launch); /* NULL is fine */

/* An effect and its answer, as a journal has them. It owns its texts. */
struct journal_entry {
    int64_t seq;
    char *kind, *sha256, *request, *answer; /* request: NULL when it was too long to be kept */
    size_t request_len, answer_len;
    bool failed;
    int64_t api_calls, tokens, cost_microcents, asked_at, answered_at;
};
struct journal_copy {
    struct journal_entry *entries; /* in the order answered */
    size_t n;
};
void journal_copy_clear(struct journal_copy *copy);

/* An execution to be run again, every effect answered from its journal: nothing happens but in its
 * sandbox. All pointers are borrowed. */
struct replay_order {
    struct launch *launch;
    const char *execution_id; /* that the skill sees */
    const char *seed_id;      /* whose seed, and of which attempt; or: */
    int64_t retries;
    const uint8_t *seed; /* the seed itself, 32 bytes; NULL */
    const char *input;   /* JSON text */
    const struct journal_copy *journal;
    /* false: it ends at the first request that is not the journal's, with ReplayDiverged. true: a
     * request takes the first answer to the same one that is left, else the first of its kind, and
     * ends when there is none. */
    bool loose;
};

/* An execution to be accepted. All strings are copied by submit. */
struct execution_order {
    char id[UUID_SIZE];    /* made by the service */
    struct launch *launch; /* submit takes its own reference */
    const char *user_id;
    const char *parent_id; /* or NULL */
    const char *input;     /* JSON text, checked against the schema */
    size_t input_len;
    const char *context;      /* executionContext: JSON object text */
    const char *version_note; /* JSON object text (see version_choice), or NULL */
    int64_t priority;
    /* Idempotency-Key, kept in the row's own batch; NULL: none. */
    const char *key, *key_sha256;
    const char *key_answer; /* the answer's body, kept with the key; NULL: the execution answers */
    int64_t key_expired;    /* keys made before are forgotten */
    int64_t available_at;   /* wall µs: not to be started before; 0: at once */
    const char *concurrency_key;              /* or NULL */
    const char *webhook_url, *webhook_secret; /* told of its end; or NULL */
    /* The execution it is made of, how (retry, fork), and whose seed it has; or NULL. */
    const char *origin_id, *origin_kind, *seed_id;
    /* What its journal begins with; submit takes the entries over. Only with available_at, so that
     * it is read like that of any other execution that is taken up. */
    struct journal_copy journal;
};

/* How an execution ended; strings valid during the callback. */
struct execution_outcome {
    const char *status; /* completed, failed, cancelled */
    const char *output; /* JSON text or NULL */
    const char *error;  /* JSON text: {code, message, details, traceback}; or NULL */
    const char *usage;  /* JSON text: ResourceUsage */
    int64_t started_at, completed_at, execution_time_us;
};

/* A copy owns its texts, until it is cleared. */
void execution_outcome_copy(struct execution_outcome *to_r, const struct execution_outcome *from);
void execution_outcome_clear(struct execution_outcome *outcome);

/* What came of a replay. It owns its texts. */
struct replay_result {
    struct execution_outcome outcome;
    /* {"used": entries, "unused": entries, "changed": requests that took the answer to another one,
     * "changes": [{"step","kind","difference"}…], the first few of them} */
    json_t *report;
};

/* Someone who waits for news of one execution. Embedded in its owner. Callbacks run on the engine's
 * thread and must be quick; after unwatch has returned none runs any more. */
struct execution_watch {
    /* Hears of nothing before the end. Where that is all that anyone waits for, the row may be
     * stored with what comes within a few milliseconds, at best with the end; before an effect
     * begins it is. */
    bool patient;
    /* The row is durable (202 may be sent), or err says why not (then nothing else follows). */
    void (*accepted)(struct execution_watch *watch, struct error *err);
    /* Events up to seq can be read from the store. */
    void (*news)(struct execution_watch *watch, int64_t seq);
    /* The terminal state is durable. Last callback. */
    void (*ended)(struct execution_watch *watch, const struct execution_outcome *outcome);
    /* Another node has it, or it ended behind the engine's back: the store knows. Last callback. */
    void (*left)(struct execution_watch *watch);
    void *arg;
    /* The engine's own: */
    struct execution_watch *next_, **place_;
    char id_[UUID_SIZE];
};

struct webhook_message;
struct webhook_attempt;

struct engine_ops {
    /* Any thread. watch may be NULL. `accepted` (or nothing, without a watch) comes later; err is
     * filled and -1 returned at once when the engine takes no more (draining, queue full). */
    int (*submit)(void *engine, struct execution_order *order, struct execution_watch *watch,
                  struct error *err);
    /* Watches an execution that has not ended and may be anywhere: 1 callbacks will come, also when
     * it waits in the store and is taken up later; 0 another node may have it (look into the store
     * from time to time). Blocks for one turn of the engine. One that ends between the caller's
     * look and this call may be watched for ever: look again afterwards. */
    int (*watch)(void *engine, const char *id, struct execution_watch *watch);
    void (*unwatch)(void *engine, struct execution_watch *watch);
    /* Asks it to stop; it ends as cancelled within the grace period. 1: was live here; 0: not live
     * here. */
    int (*cancel)(void *engine, const char *id);
    /* It was brought to its end in the store, not being live: tells those who watch it. */
    void (*ended)(void *engine, const char *id);
    /* Rows were written that anybody may claim. Any thread; does not block. */
    void (*queued)(void *engine);
    /* A webhook or a delivery was written. Any thread; does not block. */
    void (*notify)(void *engine);
    /* A signal for it was stored; it may be anywhere. Blocks for one turn. */
    void (*signalled)(void *engine, const char *id);
    /* Runs it again and blocks until it has ended, which its own limits see to. -1 only when it
     * could not begin. */
    int (*replay)(void *engine, const struct replay_order *order, struct replay_result *result_r,
                  struct error *err);
    /* The seed of an execution's attempt. */
    void (*seed)(void *engine, const char *execution_id, int64_t retries, uint8_t seed_r[32]);
    /* Evaluates a skill file in a sandboxed executor and gives its table without functions. Blocks,
     * at most ten seconds. E_INVALID_SKILL with NAME.lua and line when it is not a skill. */
    int (*describe)(void *engine, const char *name, const char *source, size_t len,
                    json_t **manifest_r, struct error *err);
    /* GETs a URL that the operator configured, of at most max bytes; any thread. `done` comes once
     * on the engine's thread, with the body of a 200 or with err, unless the engine is freed
     * before. */
    int (*fetch)(void *engine, const char *url, size_t max, int64_t timeout_us,
                 void (*done)(void *arg, const char *body, size_t len, struct error *err),
                 void *arg, struct error *err);
    /* Sends a notification at once, in no queue; any thread. The message is taken over. `done`
     * comes once, on the engine's thread. */
    void (*send)(void *engine, struct webhook_message *message,
                 void (*done)(void *arg, const struct webhook_attempt *attempt), void *arg);
    /* How many executions of the organization may run at once; 0: it has set nothing. */
    void (*limit_running)(void *engine, const char *organization_id, int64_t limit);
};

#endif
