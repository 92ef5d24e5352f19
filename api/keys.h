/* Idempotency keys whose first request is still being handled: a second one must not begin. Any thread. */
#ifndef C9_API_KEYS_H
#define C9_API_KEYS_H

#include <stdbool.h>

struct keys;

struct keys *keys_new(void);
void keys_free(struct keys *keys);
/* False when the organization's key is in flight already. */
bool keys_begin(struct keys *keys, const char *organization_id, const char *key);
void keys_end(struct keys *keys, const char *organization_id, const char *key);

#endif
