/* libjose, loaded when a provider of JWTs is configured: it brings libcrypto along, which a daemon
 * without one need not hold. Any thread. */
#ifndef C9_SERVICE_JOSE_H
#define C9_SERVICE_JOSE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* What signs with an algorithm: one row each. */
struct jose_algorithm {
    const char *name;
    const char *kty, *crv; /* of a JWK; crv NULL: none */
    bool symmetric;
};
/* NULL when it is none of ours; "none" is none. */
const struct jose_algorithm *jose_algorithm(const char *name);

int jose_load(struct error *err);
/* Whether the compact serialisation is signed by this JWK, whose type must be the algorithm's.
 * Before: jose_load. */
bool jose_verify(const char *token, size_t len, const struct jose_algorithm *algorithm,
                 const json_t *jwk);

#endif
