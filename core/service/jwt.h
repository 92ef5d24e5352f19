/* JSON Web Tokens (RFC 7519, 7515) as bytes and claims; signatures are jose.h's. Pure: any thread.
 */
#ifndef C9_SERVICE_JWT_H
#define C9_SERVICE_JWT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define JWT_SIZE_MAX (16 * 1024) /* bytes of a token */

struct jwt {
    json_t *header, *claims; /* objects; owned */
    const char *alg;         /* of header */
    const char *kid;         /* of header, or NULL */
};
void jwt_clear(struct jwt *jwt);

/* Takes a compact serialisation apart: nothing is believed yet. E_AUTHENTICATION_REQUIRED when it
 * is none, has no "alg", or has "crit" (extensions that we would have to understand). */
int jwt_decode(const char *text, size_t len, struct jwt *jwt_r, struct error *err);
/* Whether the bytes look like one rather than like a token of ours. */
bool jwt_looks_like(const char *text, size_t len);

/* A claim by its path: a name as it stands ("https://example.org/role"), or names with dots between
 * ("app_metadata.role"). Borrowed; NULL when it is not there. */
const json_t *jwt_claim(const json_t *claims, const char *path);

/* Registered claims. audiences: words separated by blanks or commas, of which "aud" must have one;
 * "any": it need not. E_AUTHENTICATION_REQUIRED, saying which. now, skew: µs. */
int jwt_check(const json_t *claims, const char *issuer, const char *audiences, int64_t now,
              int64_t skew, struct error *err);
/* "exp" in µs, 0 without. */
int64_t jwt_expiry(const json_t *claims);

/* Whether one of the words (separated by blanks or commas) is this one. */
bool jwt_word_in(const char *words, const char *word);

#endif
