/* Idempotency-Key: the same request with the same key does its work once. */
#ifndef C9_API_IDEMPOTENCY_H
#define C9_API_IDEMPOTENCY_H

#include "api/reply.h"
#include "api/request.h"

struct idempotency; /* a key in flight, with what is to be stored beside it */
struct follow;

struct stored_answer {
    int status;
    char *location, *body;
};
void stored_answer_clear(struct stored_answer *answer);

/* 0 with *key_r NULL: the request has no key, or its operation takes none. 0 with a key: it is new, and in
 * flight until idempotency_free. 1: seen before, answer_r is the first answer. -1: another request had
 * the key, or one is being handled right now. Blocks for the store. */
int idempotency_begin(struct request *request, struct idempotency **key_r,
                      struct stored_answer *answer_r, struct error *err);
/* Keeps the answer, when it is a good one. Blocks for a commit. A failure is logged: the work is done. */
void idempotency_store(struct idempotency *key, const struct reply *reply);
/* Of type follow_store.fn: keeps which execution the key has started. */
void idempotency_store_execution(struct follow *follow, void *key);
void idempotency_free(void *key); /* NULL is fine */

#endif
