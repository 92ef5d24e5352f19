/* How often one address may deliver to webhook endpoints what is not signed with their secrets. Any
 * thread. */
#ifndef C9_SERVICE_HOOK_RATE_H
#define C9_SERVICE_HOOK_RATE_H

#include <stdint.h>

struct hook_rate;

/* per_minute: to one endpoint, and ten times as many to all together; 0: any number. */
struct hook_rate *hook_rate_new(int64_t per_minute);
void hook_rate_free(struct hook_rate *rate); /* NULL is fine */
/* 0, or for how many µs nothing more is taken from this address, for this endpoint. now: monotonic
 * µs. */
int64_t hook_rate_wait(struct hook_rate *rate, const char *address, const char *endpoint,
                       int64_t now);
/* One that was not signed right. */
void hook_rate_count(struct hook_rate *rate, const char *address, const char *endpoint,
                     int64_t now);

#endif
