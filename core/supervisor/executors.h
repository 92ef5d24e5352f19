/* The zygote and the executors it forks. Engine thread only.
 *
 * A few executors are kept ready: forked, locked down, waiting for START. Whoever takes one becomes
 * its user and gets its frames; after the final frame or a kill, the user is told once how it
 * exited. */
#ifndef C9_SUPERVISOR_EXECUTORS_H
#define C9_SUPERVISOR_EXECUTORS_H

#include "base/config.h"
#include "base/error.h"
#include "base/loop.h"
#include "wire/wire.h"

struct executors;
struct executor;

struct executor_exit {
    bool lost;      /* with its zygote: nothing is known, and it was not its fault */
    int status;     /* as waitpid gives it */
    int64_t cpu_us; /* since it was ready, exact, from the kernel, with what ending took */
    int64_t maxrss; /* bytes */
};

/* Who uses an executor; embedded in its owner. */
struct executor_user {
    /* An executor is there (asked for by executors_ask): send START now. `early`: or it will be,
     * and finds what was sent. */
    void (*ready)(struct executor_user *user, struct executor *executor);
    /* A frame; the payload is borrowed. Not called after the final frame or executor_kill. */
    void (*frame)(struct executor_user *user, const struct wire_header *header,
                  const uint8_t *payload);
    /* It broke the protocol (and has been killed); `exited` follows. */
    void (*violated)(struct executor_user *user, const char *why);
    /* It is gone; the executor is freed after this. Always the last call, also after executor_kill.
     */
    void (*exited)(struct executor_user *user, const struct executor_exit *how);
    bool early;
    struct executor_user *next_, **place_; /* while waiting in line */
};

/* Starts the zygote at `path`, and waits for it to be up. strict: a missing layer is fatal.
 * memory_max: the largest `memory` of any START. layers_r (may be NULL): new string, the JSON array
 * of layers. Call before any thread is made. */
struct executors *executors_new(struct config *config, const char *path, bool strict,
                                int64_t memory_max, char **layers_r, struct error *err);
bool executors_strict(struct config *config); /* [sandbox] mode */
/* From now on it lives on this loop; forks the first ready ones. */
int executors_attach(struct executors *executors, struct loop *loop, struct error *err);
void executors_free(struct executors *executors); /* kills all */

/* Asks for an executor: `ready` is called at once when one is waiting, else later, in order asked.
 */
void executors_ask(struct executors *executors, struct executor_user *user);
/* Takes user out of the line, if it is still in it. */
void executors_unask(struct executors *executors, struct executor_user *user);
size_t executors_alive(const struct executors *executors);

/* Queues frames for sending. Bytes that the socket does not take wait in the executor's buffer. */
void executor_send_frame(struct executor *executor, unsigned type, unsigned flags, uint64_t id,
                         const void *payload, size_t len);
struct buf *executor_out(struct executor *executor); /* append frames, then executor_flush */
void executor_flush(struct executor *executor);
size_t executor_unsent(const struct executor *executor);
size_t
executor_received(const struct executor *executor); /* bytes of frames that are not whole yet */
/* Stops or goes on reading from it: what it sends then waits in the socket, and it with it. */
void executor_pause(struct executor *executor, bool paused);
void executor_payload_limit(struct executor *executor, uint64_t bytes); /* of one incoming frame */
void executor_kill(struct executor *executor); /* SIGKILL; `exited` follows */
/* Before START: what Lua may hold; its cgroup, where it has one, gets a bound from that. */
void executor_limit_memory(struct executor *executor, uint64_t bytes);
/* µs of CPU since it was ready, from the kernel, as of now; -1: cannot be told, `exited` will. Once
 * it has sent its final frame. */
int64_t executor_cpu_now(const struct executor *executor);
/* From now on it is this user's. */
void executor_hand_over(struct executor *executor, struct executor_user *user);
/* Nothing more of it is heard: `exited` alone follows. Once it has sent its final frame. */
void executor_deafen(struct executor *executor);
uint32_t executor_pid(const struct executor *executor); /* as executors see it */

extern const struct config_key executors_keys[];
extern const size_t executors_keys_n;

#endif
