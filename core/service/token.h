/* Tokens, and who somebody is. */
#ifndef C9_SERVICE_TOKEN_H
#define C9_SERVICE_TOKEN_H

#include "service/service.h"

/* Scopes by name and bit; `admin` holds all. Beside them agents:execute:<agentId>: executes that
 * agent, and sees and stops what its user started of it, nothing else (struct principal). */
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

/* The names of the scopes that who has: a new array. */
json_t *token_scopes(const struct principal *who);
/* As the store has them, into who. */
void token_scopes_take(const json_t *names, struct principal *who);

/* body: {"name","scopes":[…],"expiresAt"?,"userId"?,"organizationId"?}. The answer has "token",
 * this once. A token never has more than whoever makes it: only his scopes; for himself, also in
 * another organization of his, or, by an admin, for a service account with no greater role than his
 * own. */
int token_create(struct service *service, const struct principal *who, const json_t *body,
                 json_t **token_r, struct error *err);
int token_list(struct service *service, const struct principal *who, const struct list_query *query,
               json_t **page_r, struct error *err);
int token_get(struct service *service, const struct principal *who, const char *id,
              json_t **token_r, struct error *err);
/* A new token in the place of this one, which is good for a while yet: body {"overlapSeconds"?}, by
 * default [auth] rotation_overlap. One's own, and those of service accounts; under the rules of
 * token_create. */
int token_rotate(struct service *service, const struct principal *who, const char *id,
                 const json_t *body, json_t **token_r, struct error *err);
/* One's own, and, by admins, anybody's of the organization. Acts at once. */
int token_revoke(struct service *service, const struct principal *who, const char *id,
                 struct error *err);

/* `c9d init`: makes the organization, the owner and an admin token, if there is none yet
 * (E_INVALID_STATE otherwise, unless again: then another admin token for the same owner). */
int token_init(struct storage *storage, const char *organization, const char *user, bool again,
               char token_r[TOKEN_SIZE], struct error *err);

#endif
