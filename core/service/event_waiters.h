/* The agents of an organization that wait for events, with their triggers decoded: kept while the
 * definitions in the store stay. Any thread. */
#ifndef C9_SERVICE_EVENT_WAITERS_H
#define C9_SERVICE_EVENT_WAITERS_H

#include <jansson.h>
#include <stddef.h>

#include "base/error.h"
#include "base/uuid.h"

struct storage;
struct event_waiter_cache;

struct event_waiter {
    char agent_id[UUID_SIZE], user_id[UUID_SIZE]; /* user: who published it */
    char *agent_name;
    json_t *events; /* for event_trigger_match; only read: it is shared by threads */
};

/* Never changes once it was given out. */
struct event_waiters {
    unsigned refs;
    size_t n;
    struct event_waiter *items;
};

struct event_waiter_cache *event_waiter_cache_new(void);
void event_waiter_cache_free(struct event_waiter_cache *cache); /* NULL is fine */

/* *waiters_r is referenced. What others than c9d do to its database is seen within a second. */
int event_waiters_get(struct event_waiter_cache *cache, struct storage *storage,
                      const char *organization_id, struct event_waiters **waiters_r,
                      struct error *err);
void event_waiters_unref(struct event_waiters *waiters); /* NULL is fine */

#endif
