/* Use cases: one header and one file a resource. Every function is called on an API or pool thread,
 * never on the engine's, and may block for the store. Every one takes the principal and decides for
 * itself what he may see and do; handlers have no policy.
 *
 * Results are new json_t references in the API's own shape (camelCase, RFC 3339). Errors are the
 * API's. */
#ifndef C9_SERVICE_SERVICE_H
#define C9_SERVICE_SERVICE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/error.h"
#include "base/uuid.h"
#include "service/engine.h"

struct service;
struct storage;

/* Declares its configuration keys ([limits] …); service_new does it too. For `c9d check-config`. */
int service_config_declare(struct config *config, struct error *err);
/* Declares and opens. Without an engine (until service_attach_engine) what needs one fails with
 * E_UNAVAILABLE. storage and config are borrowed. NULL on failure. */
struct service *service_new(struct storage *storage, struct config *config, struct error *err);
void service_attach_engine(struct service *service, const struct engine_ops *ops, void *engine);
/* The names of the configured model providers, for checking manifests and agents' settings. */
void service_set_models(struct service *service, const char *const *names, size_t n);
/* Before the storage is closed: what works behind the requests ends. NULL is fine. service_free
 * does it too. */
void service_stop(struct service *service);
void service_free(struct service *service);
/* Another number whenever anything was stored, by whomever; what was read before the same number
 * came twice is still so. 0: not known. Cheap. */
uint64_t service_version(const struct service *service);

#define PRINCIPAL_AGENTS_MAX 8 /* agents that one token can be for */

/* The request that somebody makes, for the audit log; owned by whoever serves it. */
struct origin {
    const char *operation;                         /* operationId */
    const char *address, *user_agent, *request_id; /* or NULL */
    bool audited;                                  /* a row of the change was written */
    bool unseen; /* it was denied by saying that there is no such thing */
};

struct idempotency_claim;

/* Who asks; a plain value. */
struct principal {
    char token_id[UUID_SIZE]; /* "": no token of ours (a JWT, an execution) */
    char user_id[UUID_SIZE], organization_id[UUID_SIZE];
    char role[8];    /* owner, admin, member, viewer */
    uint64_t scopes; /* bits, see token.h */
    const struct idempotency_claim
        *claim; /* of the request's Idempotency-Key; NULL: none. Borrowed */
    /* The agents of the scopes agents:execute:<agentId>. limited: this request is allowed by those
     * alone, so that it reaches nothing but them. */
    char agents[PRINCIPAL_AGENTS_MAX][UUID_SIZE];
    size_t n_agents;
    bool limited;
    struct origin *origin; /* borrowed for the call; NULL: no request (an execution, a schedule) */
};

/* A page of a list: keyset, newest first unless sort says otherwise. */
struct list_query {
    int64_t limit;         /* 1 to 200; 0: 50 */
    const char *cursor;    /* opaque, as given by nextCursor; NULL: from the start */
    const char *sort;      /* per resource, e.g. "createdAt" or "-createdAt"; NULL: default */
    const json_t *filters; /* object of the query parameters that this list knows; may be NULL */
};
/* Pages are {"items":[…],"nextCursor":"…" or null}. */

#endif
