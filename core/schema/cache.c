#include <pthread.h>
#include <string.h>
#include <uthash.h>

#include "base/hash.h"
#include "schema/schema-private.h"

struct cached {
    uint8_t key[SHA256_SIZE];
    struct schema *schema;
    UT_hash_handle hh; /* the hash's own order is the order of use, oldest first */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct cached *cache;

static void cached_free(struct cached *entry)
{
    schema_unref(entry->schema);
    free(entry);
}

/* Under the lock. Found entries become the youngest. */
static struct schema *cache_find(const uint8_t key[SHA256_SIZE])
{
    struct cached *entry;
    HASH_FIND(hh, cache, key, SHA256_SIZE, entry);
    if (entry == NULL)
        return NULL;
    HASH_DELETE(hh, cache, entry);
    HASH_ADD(hh, cache, key, SHA256_SIZE, entry);
    return schema_ref(entry->schema);
}

/* Under the lock. */
static void cache_add(const uint8_t key[SHA256_SIZE], struct schema *schema)
{
    struct cached *entry = xcalloc(1, sizeof(*entry));
    memcpy(entry->key, key, SHA256_SIZE);
    entry->schema = schema_ref(schema);
    HASH_ADD(hh, cache, key, SHA256_SIZE, entry);
    if (HASH_COUNT(cache) > SCHEMA_CACHE_MAX) {
        struct cached *oldest = cache;
        HASH_DELETE(hh, cache, oldest);
        cached_free(oldest);
    }
}

struct schema *schema_cache_get(const json_t *document, struct error *err)
{
    size_t len;
    uint8_t key[SHA256_SIZE];
    autofree char *text = jx_encode_sorted(document, &len);
    hash_sha256(text, len, key);
    pthread_mutex_lock(&lock);
    struct schema *schema = cache_find(key);
    pthread_mutex_unlock(&lock);
    if (schema != NULL)
        return schema;
    /* Compiled without the lock: two threads may both do it, and the first one's is kept. */
    schema = schema_compile(document, NULL, err);
    if (schema == NULL)
        return NULL;
    pthread_mutex_lock(&lock);
    struct schema *other = cache_find(key);
    if (other == NULL)
        cache_add(key, schema);
    pthread_mutex_unlock(&lock);
    if (other == NULL)
        return schema;
    schema_unref(schema);
    return other;
}

void schema_cache_clear(void)
{
    struct cached *entry, *next;
    pthread_mutex_lock(&lock);
    HASH_ITER(hh, cache, entry, next)
    {
        HASH_DELETE(hh, cache, entry);
        cached_free(entry);
    }
    pthread_mutex_unlock(&lock);
}

size_t schema_cache_count(void)
{
    pthread_mutex_lock(&lock);
    size_t n = HASH_COUNT(cache);
    pthread_mutex_unlock(&lock);
    return n;
}
