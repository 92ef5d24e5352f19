#include "service/jwt.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"

enum { PATH_MAX_LEN = 256 };

void jwt_clear(struct jwt *jwt)
{
    json_decref(jwt->header);
    json_decref(jwt->claims);
    *jwt = (struct jwt){0};
}

bool jwt_looks_like(const char *text, size_t len)
{
    const char *dot = memchr(text, '.', len);
    return dot != NULL && memchr(dot + 1, '.', len - (size_t)(dot + 1 - text)) != NULL;
}

static int refuse(struct error *err, const char *what)
{
    return error_set(err, E_AUTHENTICATION_REQUIRED, "the JWT %s", what);
}

/* One part, as the object that it must be. */
static json_t *part_decode(const char *text, size_t len, const char *what, struct error *err)
{
    autofree uint8_t *bytes = xmalloc(len + 1);
    ssize_t n = hash_base64url_decode(text, len, bytes);
    if (n < 0) {
        error_set(err, E_AUTHENTICATION_REQUIRED, "the JWT's %s is not base64url", what);
        return NULL;
    }
    jx_auto *value = jx_decode((const char *)bytes, (size_t)n, what, err);
    if (!json_is_object(value)) {
        error_set(err, E_AUTHENTICATION_REQUIRED, "the JWT's %s is not a JSON object", what);
        return NULL;
    }
    return move_ptr(&value);
}

int jwt_decode(const char *text, size_t len, struct jwt *jwt_r, struct error *err)
{
    *jwt_r = (struct jwt){0};
    if (len > JWT_SIZE_MAX)
        return refuse(err, "is too long");
    const char *end = text + len, *payload = memchr(text, '.', len);
    const char *signature =
        payload != NULL ? memchr(payload + 1, '.', (size_t)(end - payload - 1)) : NULL;
    if (signature == NULL || memchr(signature + 1, '.', (size_t)(end - signature - 1)) != NULL)
        return refuse(err, "does not have three parts");
    autofree uint8_t *bytes = xmalloc((size_t)(end - signature));
    if (signature + 1 == end ||
        hash_base64url_decode(signature + 1, (size_t)(end - signature - 1), bytes) < 0)
        return refuse(err, "has no signature in base64url");
    struct jwt jwt = {0};
    jwt.header = part_decode(text, (size_t)(payload - text), "header", err);
    if (jwt.header != NULL)
        jwt.claims = part_decode(payload + 1, (size_t)(signature - payload - 1), "payload", err);
    jwt.alg = jx_str(jwt.header, "alg", NULL);
    jwt.kid = jx_str(jwt.header, "kid", NULL);
    int result = 0;
    if (jwt.header == NULL || jwt.claims == NULL)
        result = -1;
    else if (jwt.alg == NULL)
        result = refuse(err, "has no alg");
    else if (json_object_get(jwt.header, "crit") != NULL)
        result = refuse(err, "has critical extensions (crit)");
    if (result < 0)
        jwt_clear(&jwt);
    *jwt_r = jwt;
    return result;
}

const json_t *jwt_claim(const json_t *claims, const char *path)
{
    const json_t *whole = json_object_get(claims, path);
    if (whole != NULL)
        return whole;
    for (const char *p = path; claims != NULL;) {
        char name[PATH_MAX_LEN];
        size_t n = strcspn(p, ".");
        if (n >= sizeof(name))
            return NULL;
        memcpy(name, p, n);
        name[n] = '\0';
        claims = json_object_get(claims, name);
        if (p[n] == '\0')
            return claims;
        p += n + 1;
    }
    return NULL;
}

bool jwt_word_in(const char *words, const char *word)
{
    static const char blanks[] = " \t,";
    size_t len = strlen(word);
    for (const char *w = words; *w != '\0';) {
        w += strspn(w, blanks);
        size_t n = strcspn(w, blanks);
        if (n == len && n > 0 && memcmp(w, word, n) == 0)
            return true;
        w += n;
    }
    return false;
}

/* A NumericDate (RFC 7519 §2) in µs: 1 given, 0 not, -1 no number that is a time. */
static int date(const json_t *claims, const char *name, int64_t *us_r)
{
    const json_t *value = json_object_get(claims, name);
    double seconds = json_number_value(value);
    if (value == NULL)
        return 0;
    if (!json_is_number(value) || !(seconds >= 0 && seconds < 253402300800.0))
        return -1;
    *us_r = json_is_integer(value) ? json_integer_value(value) * CLOCK_SECOND
                                   : (int64_t)(seconds * (double)CLOCK_SECOND);
    return 1;
}

int64_t jwt_expiry(const json_t *claims)
{
    int64_t at = 0;
    return date(claims, "exp", &at) == 1 ? at : 0;
}

static bool audience_fits(const json_t *claims, const char *audiences)
{
    const json_t *aud = json_object_get(claims, "aud");
    if (strcmp(audiences, "any") == 0)
        return true;
    if (json_is_string(aud))
        return jwt_word_in(audiences, json_string_value(aud));
    for (size_t i = 0; i < json_array_size(aud); i++) {
        const char *one = json_string_value(json_array_get(aud, i));
        if (one != NULL && jwt_word_in(audiences, one))
            return true;
    }
    return false;
}

int jwt_check(const json_t *claims, const char *issuer, const char *audiences, int64_t now,
              int64_t skew, struct error *err)
{
    int64_t at = 0;
    if (strcmp(jx_str(claims, "iss", ""), issuer) != 0)
        return refuse(err, "is of another issuer (iss)");
    if (!audience_fits(claims, audiences))
        return refuse(err, "is meant for another audience (aud)");
    int given = date(claims, "exp", &at);
    if (given != 1)
        return refuse(err, "does not say when it expires (exp)");
    if (at <= now - skew)
        return refuse(err, "has expired (exp)");
    given = date(claims, "nbf", &at);
    if (given < 0 || (given == 1 && at > now + skew))
        return refuse(err, "is not valid yet (nbf)");
    given = date(claims, "iat", &at);
    if (given < 0 || (given == 1 && at > now + skew))
        return refuse(err, "was issued in the future (iat)");
    return 0;
}
