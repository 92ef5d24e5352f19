/* Principals by the hash of their token: bounded, for a short while. Any thread. */
#ifndef C9_SERVICE_TOKEN_CACHE_H
#define C9_SERVICE_TOKEN_CACHE_H

#include "base/hash.h"
#include "service/service.h"

struct token_cache;

struct token_cache *token_cache_new(void);
void token_cache_free(struct token_cache *cache); /* NULL is fine */

/* Of a time before something was read from the store; a put with an older one than the last drop is
 * ignored, so that what was read before a revocation cannot come in after it. */
uint64_t token_cache_generation(struct token_cache *cache);

/* True when there, not stale and not expired at `now`. *due_r: last_used_at should be written,
 * since this is the first use in this minute. Times are wall microseconds. */
bool token_cache_get(struct token_cache *cache, const uint8_t hash[SHA256_SIZE], int64_t now,
                     struct principal *principal_r, bool *due_r);
void token_cache_put(struct token_cache *cache, const uint8_t hash[SHA256_SIZE], int64_t now,
                     const struct principal *principal, int64_t expires_at, uint64_t generation);
/* The entries of a token, or all of a user or an organization. */
void token_cache_drop(struct token_cache *cache, const char *id);

#endif
