/* Idempotency-Key: the same request with the same key does its work once. */
#ifndef C9_API_IDEMPOTENCY_H
#define C9_API_IDEMPOTENCY_H

#include "api/keys.h"
#include "api/reply.h"
#include "api/request.h"
#include "service/idempotency.h"

struct idempotency; /* a key in flight, with what is to be stored beside it */

/* 0 with *key_r NULL: the request has no key, or its operation takes none. 0 with a key: it is new,
 * in flight until idempotency_free, and claimed by request->who. 1: seen before, answer_r is the
 * first answer. -1: another request had the key. Blocks for the store, and while another request
 * has the key. */
int idempotency_begin(struct request *request, struct idempotency **key_r,
                      struct stored_answer *answer_r, struct error *err);
/* The same for who must not block for others: IDEMPOTENCY_BUSY while another request has the key;
 * w->waiter is woken at its end: call again. keys_forget(w) when not. */
enum { IDEMPOTENCY_BUSY = 2 };
int idempotency_begin_async(struct request *request, struct keys_waiter *w,
                            struct idempotency **key_r, struct stored_answer *answer_r,
                            struct error *err);
/* Keeps the answer, when it is a good one. Blocks for a commit. A failure is logged: the work is
 * done, and the key kept with it. NULL is fine. */
void idempotency_store(struct idempotency *key, const struct reply *reply);
/* Answers as the first time; what was made answers itself when its answer was lost. */
int idempotency_replay(const struct request *request, const struct stored_answer *first,
                       struct reply *reply, struct error *err);
void idempotency_free(void *key); /* NULL is fine */

#endif
