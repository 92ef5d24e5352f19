#include "service/token_cache.h"

#include <pthread.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

enum { SLOTS = 1024 }; /* a power of two; a token has one place and takes it from who is there */
#define STALE  (30 * CLOCK_SECOND)
#define MINUTE (60 * CLOCK_SECOND)

struct entry {
    bool filled;
    uint8_t hash[SHA256_SIZE];
    struct principal principal;
    int64_t stale_at, expires_at /* 0: never */, minute;
};

struct token_cache {
    pthread_mutex_t lock;
    uint64_t generation;
    struct entry entries[SLOTS];
};

struct token_cache *token_cache_new(void)
{
    struct token_cache *cache = xcalloc(1, sizeof(*cache));
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

void token_cache_free(struct token_cache *cache)
{
    if (cache == NULL)
        return;
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static struct entry *place(struct token_cache *cache, const uint8_t hash[SHA256_SIZE])
{
    return &cache->entries[(hash[0] | (unsigned)hash[1] << 8) % SLOTS];
}

uint64_t token_cache_generation(struct token_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    uint64_t generation = cache->generation;
    pthread_mutex_unlock(&cache->lock);
    return generation;
}

bool token_cache_get(struct token_cache *cache, const uint8_t hash[SHA256_SIZE], int64_t now,
                     struct principal *principal_r, bool *due_r)
{
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = place(cache, hash);
    bool found = entry->filled && hash_equal(entry->hash, hash, SHA256_SIZE) &&
                 now < entry->stale_at && now >= entry->stale_at - STALE &&
                 (entry->expires_at == 0 || now < entry->expires_at);
    if (found) {
        *principal_r = entry->principal;
        *due_r = entry->minute != now / MINUTE;
        entry->minute = now / MINUTE;
    }
    pthread_mutex_unlock(&cache->lock);
    return found;
}

void token_cache_put(struct token_cache *cache, const uint8_t hash[SHA256_SIZE], int64_t now,
                     const struct principal *principal, int64_t expires_at, uint64_t generation)
{
    pthread_mutex_lock(&cache->lock);
    if (cache->generation == generation) {
        struct entry *entry = place(cache, hash);
        *entry = (struct entry){.filled = true,
                                .principal = *principal,
                                .stale_at = now + STALE,
                                .expires_at = expires_at,
                                .minute = now / MINUTE};
        memcpy(entry->hash, hash, SHA256_SIZE);
    }
    pthread_mutex_unlock(&cache->lock);
}

void token_cache_drop(struct token_cache *cache, const char *id)
{
    pthread_mutex_lock(&cache->lock);
    cache->generation++;
    for (size_t i = 0; i < SLOTS; i++) {
        const struct principal *who = &cache->entries[i].principal;
        if (cache->entries[i].filled &&
            (strcmp(who->token_id, id) == 0 || strcmp(who->user_id, id) == 0 ||
             strcmp(who->organization_id, id) == 0))
            cache->entries[i].filled = false;
    }
    pthread_mutex_unlock(&cache->lock);
}
