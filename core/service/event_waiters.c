#include "service/event_waiters.h"

#include <pthread.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "host/storage.h"
#include "store/event.h"

enum {
    PLACES = 64, /* an organization has one place, and takes it from who is there */
    STALE_US = CLOCK_SECOND,
};

struct entry {
    uint64_t definitions; /* with which they were read; 0: nothing is here */
    int64_t until;        /* monotonic µs */
    char organization_id[UUID_SIZE];
    struct event_waiters *waiters;
};

struct event_waiter_cache {
    pthread_mutex_t lock;
    struct entry places[PLACES];
};

struct event_waiter_cache *event_waiter_cache_new(void)
{
    struct event_waiter_cache *cache = xcalloc(1, sizeof(*cache));
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

void event_waiter_cache_free(struct event_waiter_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < PLACES; i++)
        event_waiters_unref(cache->places[i].waiters);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static struct event_waiters *waiters_ref(struct event_waiters *waiters)
{
    __atomic_add_fetch(&waiters->refs, 1, __ATOMIC_RELAXED);
    return waiters;
}

void event_waiters_unref(struct event_waiters *waiters)
{
    if (waiters == NULL || __atomic_sub_fetch(&waiters->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < waiters->n; i++) {
        free(waiters->items[i].agent_name);
        json_decref(waiters->items[i].events);
    }
    free(waiters->items);
    free(waiters);
}

static struct entry *place_of(struct event_waiter_cache *cache, const char *organization_id)
{
    uint32_t hash = hash_fnv1a(HASH_FNV1A, organization_id, strlen(organization_id));
    return &cache->places[(hash ^ hash >> 16) % PLACES];
}

static struct event_waiters *place_look(struct event_waiter_cache *cache,
                                        const char *organization_id, uint64_t definitions)
{
    struct entry *entry = place_of(cache, organization_id);
    pthread_mutex_lock(&cache->lock);
    bool known = definitions != 0 && entry->definitions == definitions &&
                 clock_monotonic_us() < entry->until &&
                 strcmp(entry->organization_id, organization_id) == 0;
    struct event_waiters *waiters = known ? waiters_ref(entry->waiters) : NULL;
    pthread_mutex_unlock(&cache->lock);
    return waiters;
}

static void place_keep(struct event_waiter_cache *cache, const char *organization_id,
                       uint64_t definitions, struct event_waiters *waiters)
{
    struct entry *entry = place_of(cache, organization_id);
    if (definitions == 0)
        return;
    pthread_mutex_lock(&cache->lock);
    struct event_waiters *before = entry->waiters;
    *entry = (struct entry){.definitions = definitions,
                            .until = clock_monotonic_us() + STALE_US,
                            .waiters = waiters_ref(waiters)};
    snprintf(entry->organization_id, sizeof(entry->organization_id), "%s", organization_id);
    pthread_mutex_unlock(&cache->lock);
    event_waiters_unref(before);
}

static void waiter_read(void *arg, const char *agent_id, const char *agent_name,
                        const char *user_id, const char *events, size_t len)
{
    struct event_waiters *waiters = arg;
    json_t *wanted = jx_decode(events, len, "events", NULL);
    if (wanted == NULL)
        return; /* it was checked when the agent was saved */
    waiters->items = xrealloc(waiters->items, (waiters->n + 1) * sizeof(*waiters->items));
    struct event_waiter *waiter = &waiters->items[waiters->n++];
    *waiter = (struct event_waiter){.agent_name = xstrdup(agent_name), .events = wanted};
    snprintf(waiter->agent_id, sizeof(waiter->agent_id), "%s", agent_id);
    snprintf(waiter->user_id, sizeof(waiter->user_id), "%s", user_id);
}

int event_waiters_get(struct event_waiter_cache *cache, struct storage *storage,
                      const char *organization_id, struct event_waiters **waiters_r,
                      struct error *err)
{
    uint64_t definitions = storage_definitions(storage); /* before they are read */
    *waiters_r = place_look(cache, organization_id, definitions);
    if (*waiters_r != NULL)
        return 0;
    struct event_waiters *waiters = xcalloc(1, sizeof(*waiters));
    waiters->refs = 1;
    if (store_event_trigger_each(storage, organization_id, waiter_read, waiters, err) < 0) {
        event_waiters_unref(waiters);
        return -1;
    }
    place_keep(cache, organization_id, definitions, waiters);
    *waiters_r = waiters;
    return 0;
}
