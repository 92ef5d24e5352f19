/* Idempotency-Key: the same request with the same key does its work once. The key's row is part of
 * the batch that does the work (service_commit_made, and the engine's insert of an execution), so
 * that no crash can come between the two; the answer's body is filled in after it. */
#ifndef C9_SERVICE_IDEMPOTENCY_H
#define C9_SERVICE_IDEMPOTENCY_H

#include "service/service.h"

/* What a request with a key claims; carried by its principal, borrowed while the request is
 * handled. */
struct idempotency_claim {
    const char *key;
    const char *request_sha256; /* of who asks, the operation, and the body */
};

/* The first answer; its texts are owned. Without a body (a crash came before it was filled in; and
 * for executions) what is at location answers, with the members of `added` (JSON object; or NULL).
 */
struct stored_answer {
    int status;
    char *location, *body, *added; /* each may be NULL */
};
void stored_answer_clear(struct stored_answer *answer);

/* 0: new (proceed, with the claim in the principal); 1: seen with the same request: the first
 * answer; -1: seen with another request (E_IDEMPOTENCY_CONFLICT), a malformed key, or failure. */
int idempotency_get(struct service *service, const struct principal *who, const char *key,
                    const char *request_sha256, struct stored_answer *answer_r, struct error *err);
/* Fills in the first answer's body, and keeps the key when the work's batch did not. Blocks for a
 * commit. */
int idempotency_answer(struct service *service, const struct principal *who, const char *key,
                       const char *request_sha256, int status, const char *location,
                       const char *body, struct error *err);
/* E_UNAVAILABLE: another request has the key at this moment. */
int idempotency_busy(const char *key, struct error *err);

#endif
