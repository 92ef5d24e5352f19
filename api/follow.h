/* One client that follows one execution: waits for its end, or streams its events. Shared between
 * the connection's thread, the engine's (which says what is new); counted, freed by the last. */
#ifndef C9_API_FOLLOW_H
#define C9_API_FOLLOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/keeper.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/uuid.h"
#include "service/execution.h"

struct api;
struct idempotency;

struct follow {
    struct api *api;
    struct waiter waiter;
    struct execution_watch watch;
    char id[UUID_SIZE];
    bool wake_on_accept, keeps_result; /* set before it starts */
    bool cancels; /* onDisconnect: the execution is not wanted without this client; set before it
                     starts */
    struct principal who; /* of the request; used when it cancels */
    bool watching;        /* the connection's thread only: to be unwatched */
    int64_t looked_at; /* the connection's thread only: when the store was asked; monotonic µs */
    atomic_int refs;

    /* Under waiter.lock: */
    bool accepted, refused, ended;
    bool left;               /* the engine has it no more: the store is to be asked */
    struct idempotency *key; /* in flight until it is accepted or refused; NULL: none */
    int64_t news;
    struct error refusal;
    struct buf result; /* ExecutionResult as JSON, once ended */
};

struct follow *follow_new(struct api *api, struct MHD_Connection *connection);
void follow_unref(struct follow *follow);
/* Ends the watch: on the connection's thread, when nobody is to be told any more. */
void follow_detach(struct follow *follow);
/* True once, when the engine has let go of the execution before its end; nothing watches it from
 * then on. On the connection's thread. */
bool follow_has_left(struct follow *follow);
/* The client went away before the end: asks the execution to stop, if it is to. Does not wait. */
void follow_abandoned(struct follow *follow);
/* Whether the client has closed its end; only asked for when it cancels. On the connection's
 * thread. */
bool follow_client_left(const struct follow *follow);
/* Watches an execution that is there already. 1 when news will come, 0 when another node may have
 * it. Blocks for a turn of the engine. See engine_ops.watch: one that has ended must be looked for
 * afterwards. */
int follow_watch(struct follow *follow, const char *id);

#endif
