/* The generic cell rate algorithm (ITU-T I.371) in a table of fixed size: who is not in it has sent
 * nothing lately. */
#include "service/hook_rate.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

enum {
    SETS = 1024, /* of places; an address and endpoint has one set */
    WAYS = 4,    /* places of a set: of more that come at once the quietest is forgotten */
    ALL = 10     /* endpoints' worth for an address as a whole */
};

struct place {
    uint64_t key;
    int64_t paid; /* when all that was counted has been paid off, monotonic µs */
};

struct hook_rate {
    pthread_mutex_t lock;
    int64_t per_minute;
    struct place sets[SETS][WAYS];
};

struct hook_rate *hook_rate_new(int64_t per_minute)
{
    struct hook_rate *rate = xcalloc(1, sizeof(*rate));
    pthread_mutex_init(&rate->lock, NULL);
    rate->per_minute = per_minute;
    return rate;
}

void hook_rate_free(struct hook_rate *rate)
{
    if (rate == NULL)
        return;
    pthread_mutex_destroy(&rate->lock);
    free(rate);
}

/* Two texts; FNV-1a. Never 0, which is an empty place's. */
static uint64_t key_of(const char *address, const char *endpoint)
{
    uint64_t hash = 14695981039346656037u;
    for (const char *c = address; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    hash = (hash ^ 0xff) * 1099511628211u; /* is in neither */
    for (const char *c = endpoint; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    return hash != 0 ? hash : 1;
}

static struct place *place_find(struct hook_rate *rate, uint64_t key, bool take)
{
    struct place *set = rate->sets[(key >> 32) % SETS], *quietest = &set[0];
    for (int i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (set[i].paid < quietest->paid)
            quietest = &set[i];
    }
    if (!take)
        return NULL;
    *quietest = (struct place){.key = key};
    return quietest;
}

static int64_t place_wait(struct hook_rate *rate, uint64_t key, int64_t now)
{
    const struct place *place = place_find(rate, key, false);
    int64_t ahead = place != NULL ? place->paid - now : 0;
    return ahead > 60 * CLOCK_SECOND ? ahead - 60 * CLOCK_SECOND : 0;
}

static void place_count(struct hook_rate *rate, uint64_t key, int64_t cost, int64_t now)
{
    struct place *place = place_find(rate, key, true);
    place->paid = (place->paid > now ? place->paid : now) + cost;
}

int64_t hook_rate_wait(struct hook_rate *rate, const char *address, const char *endpoint,
                       int64_t now)
{
    if (rate->per_minute == 0)
        return 0;
    pthread_mutex_lock(&rate->lock);
    int64_t one = place_wait(rate, key_of(address, endpoint), now);
    int64_t all = place_wait(rate, key_of(address, ""), now);
    pthread_mutex_unlock(&rate->lock);
    return one > all ? one : all;
}

void hook_rate_count(struct hook_rate *rate, const char *address, const char *endpoint, int64_t now)
{
    if (rate->per_minute == 0)
        return;
    int64_t cost = 60 * CLOCK_SECOND / rate->per_minute;
    pthread_mutex_lock(&rate->lock);
    place_count(rate, key_of(address, endpoint), cost, now);
    place_count(rate, key_of(address, ""), cost / ALL, now);
    pthread_mutex_unlock(&rate->lock);
}
