/* The engine: owns every live execution, its executor and its effects, on one thread. */
#ifndef C9_SUPERVISOR_ENGINE_H
#define C9_SUPERVISOR_ENGINE_H

#include "base/config.h"
#include "base/error.h"
#include "host/model.h"
#include "host/queue.h"
#include "host/storage.h"
#include "service/engine.h"
#include "service/service.h"
#include "supervisor/executors.h"

struct engine;

extern const struct config_key engine_keys[];
extern const size_t engine_keys_n;

/* All pointers are borrowed and must outlive the engine, except executors, which it takes. storage,
 * queue and service may be NULL together: then only engine_rehearse and describe work (`c9d
 * skill-test`). */
struct engine_parts {
    struct config *config;
    struct storage *storage;
    struct queue *queue;
    struct service *service;
    struct executors *executors;
    struct model **models;
    size_t n_models;
};
struct engine *engine_new(const struct engine_parts *parts, struct error *err);
/* Starts the threads: the engine's, the queue's, the pool's. What was left of a former life is
 * taken up again. */
int engine_start(struct engine *engine, struct error *err);
/* Takes nothing new, and waits up to the configured time for what runs. Not on the engine's thread.
 */
void engine_drain(struct engine *engine);
/* Lets go of what still runs (it goes on after the next start) and ends the threads. */
void engine_stop(struct engine *engine);
void engine_free(struct engine *engine);
extern const struct engine_ops engine_ops;

/* Runs a launch in a real executor with no store behind it and every effect answered from `replies`
 * ({"model":[…],"http":[…],"agents":[…]}, consumed in order). on_event gets log, emit and delta
 * events as they come (engine thread). Blocks. The outcome is the caller's: release it
 * with execution_outcome_clear. */
int engine_rehearse(struct engine *engine, struct launch *launch, const char *input,
                    const json_t *replies,
                    void (*on_event)(void *arg, const char *type, const char *data, size_t len),
                    void *arg, struct execution_outcome *outcome_r, struct error *err);

#endif
