/* Idempotency keys whose first request is still being handled: a second one waits for its end. Any
 * thread. */
#ifndef C9_API_KEYS_H
#define C9_API_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "api/keeper.h"

struct keys;

/* A connection that sleeps until a key is free; embedded in its owner. */
struct keys_waiter {
    struct waiter *waiter;
    struct keys_waiter *next, **place; /* place NULL: not in line */
};

struct keys *keys_new(void);
void keys_free(struct keys *keys);
/* True: the key is ours until keys_end. False: another request has it; then w (may be NULL) is
 * woken at its end, once, unless keys_forget comes first. */
bool keys_begin(struct keys *keys, const char *organization_id, const char *key,
                struct keys_waiter *w);
void keys_forget(struct keys *keys, struct keys_waiter *w);
/* The same, but blocks until the key is free, for at most so long; false when it still is not. */
bool keys_begin_wait(struct keys *keys, const char *organization_id, const char *key,
                     int64_t timeout_us);
void keys_end(struct keys *keys, const char *organization_id, const char *key);

#endif
