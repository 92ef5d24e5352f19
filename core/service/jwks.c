#include "service/jwks.h"

#include <pthread.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "service/service-private.h"

enum { SET_MAX = 1 << 20, KEYS_MAX = 100, RSA_BYTES_MIN = 256, TRIES_MAX = 8 };
#define FETCH_TIMEOUT (20 * CLOCK_SECOND)

struct jwks {
    char *name, *source; /* source NULL: the secret, which does not change */
    int64_t refresh, pause;
    pthread_mutex_t lock;      /* of what follows */
    json_t *keys;              /* array; NULL: never read. Replaced, never changed */
    int64_t read_at, asked_at; /* monotonic; 0: never */
    bool asking;
};

static bool is_url(const char *source)
{
    return strncmp(source, "https://", 8) == 0 || strncmp(source, "http://", 7) == 0;
}

/* ---- sets ---- */

static bool key_usable(const json_t *key)
{
    const char *kty = jx_str(key, "kty", ""), *n = jx_str(key, "n", NULL);
    if (strcmp(jx_str(key, "use", "sig"), "sig") != 0)
        return false;
    if (strcmp(kty, "RSA") == 0)
        return n != NULL && strlen(n) >= (RSA_BYTES_MIN * 4 + 2) / 3;
    return strcmp(kty, "EC") == 0; /* a shared secret has no place in a public set */
}

json_t *jwks_parse(const char *text, size_t len, struct error *err)
{
    jx_auto *set = jx_decode(text, len, "JWK Set", err);
    if (set == NULL)
        return NULL;
    const json_t *given = json_object_get(set, "keys");
    if (!json_is_array(given)) {
        error_set(err, E_INVALID_REQUEST, "JWK Set: it has no array \"keys\"");
        return NULL;
    }
    json_t *keys = json_array();
    for (size_t i = 0; i < json_array_size(given) && json_array_size(keys) < KEYS_MAX; i++)
        if (key_usable(json_array_get(given, i)))
            json_array_append(keys, json_array_get(given, i));
    return keys;
}

static void set_taken(struct jwks *jwks, json_t *keys)
{
    pthread_mutex_lock(&jwks->lock);
    json_t *before = jwks->keys;
    jwks->keys = keys;
    jwks->read_at = clock_monotonic_us();
    pthread_mutex_unlock(&jwks->lock);
    json_decref(before);
    log_info("jwt.keys", "[jwt %s] has %zu keys from %s", jwks->name, json_array_size(keys),
             jwks->source);
}

static int set_read(struct jwks *jwks, struct error *err)
{
    buf_auto text = BUF_INIT;
    if (file_read(jwks->source, SET_MAX, E_CONFIG_INVALID, &text, err) < 0)
        return error_wrap(err, "[jwt %s] jwks", jwks->name);
    json_t *keys = jwks_parse(text.data, text.len, err);
    if (keys == NULL) {
        err->code = E_CONFIG_INVALID;
        return error_wrap(err, "[jwt %s] jwks: %s", jwks->name, jwks->source);
    }
    set_taken(jwks, keys);
    return 0;
}

/* ---- reading again ---- */

/* On the engine's thread. The keys that are there stay when it fails. */
static void fetched(void *arg, const char *body, size_t len, struct error *failure)
{
    struct jwks *jwks = arg;
    error_auto err = ERROR_INIT;
    json_t *keys = failure == NULL ? jwks_parse(body, len, &err) : NULL;
    if (keys != NULL)
        set_taken(jwks, keys);
    else
        log_warn("jwt.keys", "[jwt %s] the keys could not be read from %s: %s", jwks->name,
                 jwks->source, failure != NULL ? failure->message : err.message);
    pthread_mutex_lock(&jwks->lock);
    jwks->asking = false;
    pthread_mutex_unlock(&jwks->lock);
}

/* Claims the right to read again now: a pause behind the last time. */
static bool read_due(struct jwks *jwks, int64_t now, int64_t age)
{
    pthread_mutex_lock(&jwks->lock);
    bool due = jwks->source != NULL && !jwks->asking &&
               (jwks->asked_at == 0 || now - jwks->asked_at >= jwks->pause) &&
               (jwks->read_at == 0 || now - jwks->read_at >= age);
    if (due) {
        jwks->asking = true;
        jwks->asked_at = now;
    }
    pthread_mutex_unlock(&jwks->lock);
    return due;
}

static int read_again(struct jwks *jwks, struct service *service, struct error *err)
{
    if (is_url(jwks->source) && service->ops != NULL && service->ops->fetch != NULL &&
        service->ops->fetch(service->engine, jwks->source, SET_MAX, FETCH_TIMEOUT, fetched, jwks,
                            err) == 0)
        return 0;
    int result = is_url(jwks->source) ? -1 : set_read(jwks, err);
    pthread_mutex_lock(&jwks->lock);
    jwks->asking = false;
    pthread_mutex_unlock(&jwks->lock);
    return result;
}

int jwks_start(struct jwks *jwks, struct service *service, struct error *err)
{
    if (jwks->source == NULL || !read_due(jwks, clock_monotonic_us(), 0))
        return 0;
    return read_again(jwks, service, err);
}

/* Old ones are replaced behind the requests that still use them. */
static void refresh(struct jwks *jwks, struct service *service)
{
    error_auto err = ERROR_INIT;
    if (read_due(jwks, clock_monotonic_us(), jwks->refresh) && read_again(jwks, service, &err) < 0)
        log_warn("jwt.keys", "[jwt %s] %s", jwks->name, err.message);
}

/* ---- verifying ---- */

/* 1 signed, 0 not, -1 no key that it could be. */
static int try_keys(struct jwks *jwks, const char *token, size_t len,
                    const struct jose_algorithm *algorithm, const char *kid)
{
    pthread_mutex_lock(&jwks->lock);
    jx_auto *keys = json_incref(jwks->keys);
    pthread_mutex_unlock(&jwks->lock);
    int tried = 0;
    for (size_t i = 0; i < json_array_size(keys) && tried < TRIES_MAX; i++) {
        const json_t *key = json_array_get(keys, i);
        const char *id = jx_str(key, "kid", NULL);
        if (kid != NULL && id != NULL && strcmp(id, kid) != 0)
            continue;
        if (strcmp(jx_str(key, "kty", ""), algorithm->kty) != 0)
            continue;
        tried++;
        if (jose_verify(token, len, algorithm, key))
            return 1;
    }
    return tried > 0 ? 0 : -1;
}

static int unknown_key(struct jwks *jwks, struct service *service, struct error *err)
{
    bool due = read_due(jwks, clock_monotonic_us(), 0);
    if (due && read_again(jwks, service, err) < 0)
        return -1;
    pthread_mutex_lock(&jwks->lock);
    bool asking = jwks->asking;
    pthread_mutex_unlock(&jwks->lock);
    if (asking)
        return error_set(err, E_UNAVAILABLE,
                         "the keys of the JWT's issuer are being fetched; try again in a moment");
    return due ? 1 : 0; /* a file was read: once more */
}

int jwks_verify(struct jwks *jwks, struct service *service, const char *token, size_t len,
                const struct jose_algorithm *algorithm, const char *kid, struct error *err)
{
    refresh(jwks, service);
    int result = try_keys(jwks, token, len, algorithm, kid);
    if (result < 0 && jwks->source != NULL) {
        int again = unknown_key(jwks, service, err);
        if (again < 0)
            return 0;
        if (again > 0)
            result = try_keys(jwks, token, len, algorithm, kid);
    }
    if (result == 1)
        return 1;
    error_set(err, E_AUTHENTICATION_REQUIRED,
              result < 0 ? "the JWT is signed with a key that its issuer does not have (kid)"
                         : "the JWT's signature is wrong");
    return 0;
}

/* ---- life ---- */

static struct jwks *create(const char *name)
{
    struct jwks *jwks = xcalloc(1, sizeof(*jwks));
    pthread_mutex_init(&jwks->lock, NULL);
    jwks->name = xstrdup(name);
    return jwks;
}

struct jwks *jwks_new(const char *name, const char *source, int64_t refresh_us, int64_t pause)
{
    struct jwks *jwks = create(name);
    jwks->source = xstrdup(source);
    jwks->refresh = refresh_us;
    jwks->pause = pause;
    return jwks;
}

struct jwks *jwks_secret(const char *name, const char *secret)
{
    struct jwks *jwks = create(name);
    size_t len = strlen(secret);
    autofree char *k = xmalloc((len * 4 + 2) / 3 + 1);
    jwks->keys = json_pack("[{s:s, s:s}]", "kty", "oct", "k", hash_base64url(secret, len, k));
    return jwks;
}

void jwks_free(struct jwks *jwks)
{
    if (jwks == NULL)
        return;
    json_decref(jwks->keys);
    pthread_mutex_destroy(&jwks->lock);
    free(jwks->name);
    free(jwks->source);
    free(jwks);
}
