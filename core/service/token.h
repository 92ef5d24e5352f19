/* Tokens, and who somebody is. */
#ifndef C9_SERVICE_TOKEN_H
#define C9_SERVICE_TOKEN_H

#include "service/service.h"

/* Scopes by name and bit; `admin` holds all. Beside them agents:execute:<agentId>: executes that agent, and sees and
 * stops what its user started of it, nothing else (struct principal). */
enum scope {
    SCOPE_ADMIN,
    SCOPE_AGENTS_READ,
    SCOPE_AGENTS_WRITE,
    SCOPE_AGENTS_EXECUTE,
    SCOPE_EXECUTIONS_READ,
    SCOPE_SKILLS_READ,
    SCOPE_SKILLS_WRITE,
    SCOPE_USAGE_READ,
    SCOPE_COUNT_
};
const char *scope_name(enum scope scope); /* "agents:read" */
int scope_by_name(const char *name);      /* enum scope, or -1 */
/* Whether who has it. */
bool scope_has(const struct principal *who, enum scope scope);
/* E_AGENT_ACCESS_DENIED with details.requiredScope unless who has it. */
int scope_require(const struct principal *who, enum scope scope, struct error *err);

#define TOKEN_SIZE 48 /* "c9d_" and 43 characters of base64url of 32 random bytes, and NUL */

/* Finds the principal of a bearer token. Constant time in the token; answers are cached for a short
 * while and dropped at once by token_revoke. last_used_at is kept to the minute. */
int token_authenticate(struct service *service, const char *token, size_t len,
                       struct principal *principal_r, struct error *err);

/* body: {"name","scopes":[…],"expiresAt"?}. The answer has "token", this once. One can give only
 * scopes that one has. */
int token_create(struct service *service, const struct principal *who, const json_t *body,
                 json_t **token_r, struct error *err);
int token_list(struct service *service, const struct principal *who, const struct list_query *query,
               json_t **page_r, struct error *err);
int token_revoke(struct service *service, const struct principal *who, const char *id,
                 struct error *err);

/* `c9d init`: makes the organization, the owner and an admin token, if there is none yet
 * (E_INVALID_STATE otherwise, unless again: then another admin token for the same owner). */
int token_init(struct storage *storage, const char *organization, const char *user, bool again,
               char token_r[TOKEN_SIZE], struct error *err);

#endif
