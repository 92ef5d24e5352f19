#include "service/jose.h"

#include <dlfcn.h>
#include <jose/jose.h>
#include <pthread.h>
#include <string.h>

#include "base/json.h"

static const char library[] = "libjose.so.0"; /* the name of its ABI */

static __typeof__(jose_jws_ver) *jws_ver;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* RFC 7518 §3.1, without "none". EdDSA (RFC 8037) is not among what libjose 11 can. */
static const struct jose_algorithm algorithms[] = {
    {"HS256", "oct", NULL, true},    {"HS384", "oct", NULL, true},
    {"HS512", "oct", NULL, true},    {"RS256", "RSA", NULL, false},
    {"RS384", "RSA", NULL, false},   {"RS512", "RSA", NULL, false},
    {"PS256", "RSA", NULL, false},   {"PS384", "RSA", NULL, false},
    {"PS512", "RSA", NULL, false},   {"ES256", "EC", "P-256", false},
    {"ES384", "EC", "P-384", false}, {"ES512", "EC", "P-521", false},
};

const struct jose_algorithm *jose_algorithm(const char *name)
{
    for (size_t i = 0; i < countof(algorithms); i++)
        if (strcmp(algorithms[i].name, name) == 0)
            return &algorithms[i];
    return NULL;
}

int jose_load(struct error *err)
{
    pthread_mutex_lock(&lock);
    if (jws_ver == NULL) {
        void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
        void *function = handle != NULL ? dlsym(handle, "jose_jws_ver") : NULL;
        if (function == NULL)
            error_set(err, E_CONFIG_INVALID, "[jwt …] needs libjose (package libjose0): %s",
                      dlerror());
        *(void **)&jws_ver = function;
    }
    pthread_mutex_unlock(&lock);
    return jws_ver != NULL ? 0 : -1;
}

/* The key may be used with this algorithm: of its type, for signatures, and not bound to another.
 */
static bool key_fits(const struct jose_algorithm *algorithm, const json_t *jwk)
{
    if (strcmp(jx_str(jwk, "kty", ""), algorithm->kty) != 0 ||
        strcmp(jx_str(jwk, "use", "sig"), "sig") != 0 ||
        strcmp(jx_str(jwk, "alg", algorithm->name), algorithm->name) != 0)
        return false;
    return algorithm->crv == NULL || strcmp(jx_str(jwk, "crv", ""), algorithm->crv) == 0;
}

bool jose_verify(const char *token, size_t len, const struct jose_algorithm *algorithm,
                 const json_t *jwk)
{
    const char *end = token + len, *payload = memchr(token, '.', len);
    const char *signature =
        payload != NULL ? memchr(payload + 1, '.', (size_t)(end - payload - 1)) : NULL;
    if (signature == NULL || !key_fits(algorithm, jwk))
        return false;
    jx_auto *jws = json_pack("{s:s%, s:s%, s:s%}", "protected", token, (size_t)(payload - token),
                             "payload", payload + 1, (size_t)(signature - payload - 1), "signature",
                             signature + 1, (size_t)(end - signature - 1));
    /* A key of its own: what others hold is not to be touched from here. "key_ops" of public keys
     * vary by provider, and "use" was looked at. */
    jx_auto *key = json_deep_copy(jwk);
    json_object_del(key, "key_ops");
    return jws != NULL && jws_ver(NULL, jws, NULL, key, false);
}
