/* Users of identity providers: JWTs instead of tokens of ours. A section [jwt NAME] of the
 * configuration says which issuer is trusted, with which keys, and how its claims become a user, an
 * organization and a role. */
#ifndef C9_SERVICE_IDENTITY_H
#define C9_SERVICE_IDENTITY_H

#include "service/service.h"

struct identities;

/* Declares the keys of each [jwt NAME] there is. */
int identities_declare(struct config *config, struct error *err);
/* *identities_r stays NULL when there is none. -1: a section that cannot be used
 * (E_CONFIG_INVALID). */
int identities_new(const struct config *config, struct identities **identities_r,
                   struct error *err);
void identities_free(struct identities *identities); /* NULL is fine */
/* Reads the key sets: files now, URLs in the background. */
int identities_start(struct identities *identities, struct service *service, struct error *err);

/* Whose token it is: who_r and until when (µs). E_AUTHENTICATION_REQUIRED, E_UNAVAILABLE while keys
 * are being fetched, E_ORGANIZATION_LIMIT_EXCEEDED when he would be one user too many. */
int identities_authenticate(struct identities *identities, struct service *service,
                            const char *token, size_t len, int64_t now, struct principal *who_r,
                            int64_t *expires_at_r, struct error *err);

#endif
