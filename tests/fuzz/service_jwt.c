/* Any bytes as a JWT: taken apart into objects, or refused; its claims read and checked. The same
 * bytes as a JWK Set. */
#include <string.h>

#include "base/json.h"
#include "service/jwks.h"
#include "service/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void decoded(const struct jwt *jwt)
{
    static const char *const paths[] = {"sub", "app_metadata.role", "a.b.c", ".", "", "a..b"};
    must(json_is_object(jwt->header) && json_is_object(jwt->claims) && jwt->alg != NULL);
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        const json_t *claim = jwt_claim(jwt->claims, paths[i]);
        must(claim == NULL || claim->refcount > 0);
    }
    error_auto err = ERROR_INIT;
    int64_t now = 1800000000 * INT64_C(1000000);
    if (jwt_check(jwt->claims, "i", "any", now, 60000000, &err) == 0)
        must(jwt_expiry(jwt->claims) > now - 60000000);
    else
        must(err.code == E_AUTHENTICATION_REQUIRED);
    jwt_check(jwt->claims, "i", "a b,c", now, 0, NULL);
    const struct jose_algorithm *algorithm = jose_algorithm(jwt->alg);
    must(algorithm == NULL || strcmp(jwt->alg, "none") != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    error_auto err = ERROR_INIT, set_err = ERROR_INIT;
    struct jwt jwt;
    bool looks = jwt_looks_like(text, size);
    if (jwt_decode(text, size, &jwt, &err) == 0) {
        must(looks);
        decoded(&jwt);
        jwt_clear(&jwt);
    } else {
        must(err.code != E_NONE && jwt.header == NULL && jwt.claims == NULL);
    }
    jx_auto *keys = jwks_parse(text, size, &set_err);
    must(keys == NULL ? set_err.code != E_NONE : json_is_array(keys));
    return 0;
}
