/* The keys of an issuer: one shared secret, or a JWK Set (RFC 7517 §5) from a file or a URL, which
 * is read again when a token names a key that is not in it, and now and then. Any thread. */
#ifndef C9_SERVICE_JWKS_H
#define C9_SERVICE_JWKS_H

#include "service/jose.h"
#include "service/service.h"

struct jwks;

/* url or path. refresh: how old the set may grow; pause: between two readings at least; µs. */
struct jwks *jwks_new(const char *name, const char *source, int64_t refresh, int64_t pause);
struct jwks *jwks_secret(const char *name, const char *secret);
void jwks_free(struct jwks *jwks);

/* Reads the file (0, or -1), or asks for the URL in the background. */
int jwks_start(struct jwks *jwks, struct service *service, struct error *err);
/* Whether one of the keys has signed the token: 1 yes; 0 no, and err says why
 * (E_AUTHENTICATION_REQUIRED). A key that is not known lets the set be read again: a file at once;
 * a URL behind the request, which is E_UNAVAILABLE until the answer is there. */
int jwks_verify(struct jwks *jwks, struct service *service, const char *token, size_t len,
                const struct jose_algorithm *algorithm, const char *kid, struct error *err);

/* The public signature keys of a set, those that can be used. NULL with err when it is no set. */
json_t *jwks_parse(const char *text, size_t len, struct error *err);

#endif
