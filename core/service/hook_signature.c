#include "service/hook_signature.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"

enum {
    SECRET_BYTES = 32,
    SECRET_LEAST = 24, /* bytes of a key: Standard Webhooks asks for 24 to 64 */
    SECRET_MOST = 64,
    GITHUB_LEAST = 16,
    GITHUB_MOST = 256,
    ID_MAX = 256,
    CANDIDATES_MAX = 16,
    BASE64_SIZE = (SHA256_SIZE + 2) / 3 * 4 + 1
};
#define SECRET_PREFIX "whsec_"
#define HUB_PREFIX    "sha256="

const char *const hook_style_names[HOOK_STYLE_COUNT_] = {
    [HOOK_STANDARD] = "standard", [HOOK_GITHUB] = "github"};

/* ---- secrets ---- */

/* The key of a secret; 0 bytes when the secret is malformed. */
static size_t secret_key(enum hook_style style, const char *secret, uint8_t key[GITHUB_MOST])
{
    size_t len = strlen(secret);
    if (style == HOOK_GITHUB) {
        if (len > GITHUB_MOST)
            return 0;
        memcpy(key, secret, len);
        return len;
    }
    size_t prefix = strlen(SECRET_PREFIX);
    if (strncmp(secret, SECRET_PREFIX, prefix) != 0 || len - prefix > GITHUB_MOST ||
        hash_base64_decode(secret + prefix, len - prefix, key, &len) < 0)
        return 0;
    return len;
}

char *hook_secret_make(enum hook_style style)
{
    uint8_t key[SECRET_BYTES];
    char text[(SECRET_BYTES + 2) / 3 * 4 + 1];
    hash_random(key, sizeof(key));
    if (style == HOOK_GITHUB)
        return xstrdup(hash_base64url(key, sizeof(key), text));
    return xasprintf(SECRET_PREFIX "%s", hash_base64(key, sizeof(key), text));
}

const char *hook_secret_fault(enum hook_style style, const char *secret)
{
    uint8_t key[GITHUB_MOST];
    size_t n = secret_key(style, secret, key);
    explicit_bzero(key, sizeof(key));
    if (style == HOOK_GITHUB)
        return n >= GITHUB_LEAST ? NULL : "must have 16 to 256 bytes";
    return n >= SECRET_LEAST && n <= SECRET_MOST
               ? NULL
               : "must be whsec_ and the base64 of 24 to 64 bytes";
}

static void sign(enum hook_style style, const char *secret, const char *text, size_t len,
                 uint8_t out[SHA256_SIZE])
{
    uint8_t key[GITHUB_MOST];
    hash_hmac_sha256(key, secret_key(style, secret, key), text, len, out);
    explicit_bzero(key, sizeof(key));
}

/* ---- signatures ---- */

static int refuse(struct error *err, const char *why)
{
    return error_set(err, E_SIGNATURE_INVALID, "%s", why);
}

void hook_standard_sign(const char *secret, const char *content, size_t len, struct buf *out)
{
    uint8_t digest[SHA256_SIZE];
    char text[BASE64_SIZE];
    sign(HOOK_STANDARD, secret, content, len, digest);
    buf_printf(out, "%sv1,%s", out->len > 0 ? " " : "", hash_base64(digest, sizeof(digest), text));
}

/* "v1,BASE64 v1,BASE64 v1a,…": whether one of version 1 is this. All are looked at. */
static bool candidates_have(const char *list, const char wanted[BASE64_SIZE])
{
    bool found = false;
    for (int i = 0; *list != '\0' && i < CANDIDATES_MAX; i++) {
        size_t n = strcspn(list, " ");
        if (n == BASE64_SIZE - 1 + 3 && strncmp(list, "v1,", 3) == 0)
            found |= hash_equal(list + 3, wanted, BASE64_SIZE - 1);
        list += n;
        list += strspn(list, " ");
    }
    return found;
}

static int timestamp_check(const char *text, int64_t now, int64_t tolerance, struct error *err)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 12 || text[digits] != '\0')
        return refuse(err, "header webhook-timestamp must be seconds since 1970");
    int64_t off = now - strtoll(text, NULL, 10) * CLOCK_SECOND;
    if (off > tolerance || off < -tolerance)
        return refuse(err, "header webhook-timestamp is too far from now");
    return 0;
}

static int standard_check(const char *const secrets[2], const struct hook_message *m, int64_t now,
                          int64_t tolerance, char key_r[SHA256_HEX_SIZE], struct error *err)
{
    if (m->id == NULL || m->timestamp == NULL || m->signature == NULL)
        return refuse(err, "the headers webhook-id, webhook-timestamp and webhook-signature are "
                           "needed");
    if (m->id[0] == '\0' || strlen(m->id) > ID_MAX)
        return refuse(err, "header webhook-id must have 1 to 256 bytes");
    if (timestamp_check(m->timestamp, now, tolerance, err) < 0)
        return -1;
    buf_auto text = BUF_INIT;
    bool good = false;
    buf_printf(&text, "%s.%s.", m->id, m->timestamp);
    buf_append(&text, m->body, m->len);
    for (int i = 0; i < 2; i++) {
        uint8_t digest[SHA256_SIZE];
        char wanted[BASE64_SIZE];
        if (secrets[i] == NULL)
            continue;
        sign(HOOK_STANDARD, secrets[i], text.data, text.len, digest);
        good |= candidates_have(m->signature, hash_base64(digest, sizeof(digest), wanted));
    }
    hash_sha256_hex(m->id, strlen(m->id), key_r);
    return good ? 0 : refuse(err, "the signature does not fit");
}

static int github_check(const char *const secrets[2], const struct hook_message *m,
                        char key_r[SHA256_HEX_SIZE], struct error *err)
{
    size_t prefix = strlen(HUB_PREFIX);
    bool good = false;
    if (m->hub_signature == NULL || strncmp(m->hub_signature, HUB_PREFIX, prefix) != 0 ||
        strlen(m->hub_signature) != prefix + SHA256_HEX_SIZE - 1)
        return refuse(err, "the header X-Hub-Signature-256: sha256=HEX is needed");
    for (int i = 0; i < 2; i++) {
        uint8_t digest[SHA256_SIZE];
        if (secrets[i] == NULL)
            continue;
        sign(HOOK_GITHUB, secrets[i], m->body, m->len, digest);
        hash_hex(digest, sizeof(digest), key_r);
        good |= hash_equal(m->hub_signature + prefix, key_r, SHA256_HEX_SIZE - 1);
    }
    memcpy(key_r, m->hub_signature + prefix, SHA256_HEX_SIZE);
    return good ? 0 : refuse(err, "the signature does not fit");
}

int hook_signature_check(enum hook_style style, const char *const secrets[2],
                         const struct hook_message *message, int64_t now, int64_t tolerance,
                         char key_r[SHA256_HEX_SIZE], struct error *err)
{
    return style == HOOK_GITHUB ? github_check(secrets, message, key_r, err)
                                : standard_check(secrets, message, now, tolerance, key_r, err);
}
