/* Answers that are kept, of HANDLER_KEPT operations: what they say follows from the target, from
 * who asks and from the store. The same question gets the same answer while nothing at all was
 * stored since it was made. Any thread. */
#ifndef C9_API_KEPT_H
#define C9_API_KEPT_H

#include <stdbool.h>
#include <stdint.h>

struct kept;
struct reply;
struct request;

struct kept *kept_new(void);
void kept_free(struct kept *kept); /* NULL is fine */
/* Fills the reply, as the handler would, if an answer of this
 * version of the store is kept (service_version; 0, not known, never is). */
bool kept_find(struct kept *kept, const struct request *request, uint64_t version,
               struct reply *reply);
/* Keeps a handler's answer; version is the store's from before the handler ran. What is large, or
 * no plain 200, is not kept. */
void kept_put(struct kept *kept, const struct request *request, uint64_t version,
              const struct reply *reply);

#endif
