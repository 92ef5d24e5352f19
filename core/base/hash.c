/* Digests and randomness. */
#include "base/hash.h"

#include <errno.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>

void hash_sha256(const void *data, size_t len, uint8_t out[SHA256_SIZE])
{
    struct sha256_ctx ctx;
    sha256_init(&ctx);
    sha256_update(&ctx, len, data);
    sha256_digest(&ctx, SHA256_SIZE, out);
}

char *hash_sha256_hex(const void *data, size_t len, char out[SHA256_HEX_SIZE])
{
    uint8_t digest[SHA256_SIZE];
    hash_sha256(data, len, digest);
    return hash_hex(digest, sizeof(digest), out);
}

void hash_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                      uint8_t out[SHA256_SIZE])
{
    struct hmac_sha256_ctx ctx;
    hmac_sha256_set_key(&ctx, key_len, key);
    hmac_sha256_update(&ctx, len, data);
    hmac_sha256_digest(&ctx, SHA256_SIZE, out);
    explicit_bzero(&ctx, sizeof(ctx));
}

static void __attribute__((noreturn)) random_broken(void)
{
    fprintf(stderr, "c9d: getrandom failed; the kernel is unusable\n");
    abort();
}

uint32_t hash_fnv1a(uint32_t hash, const void *data, size_t len)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 16777619u;
    return hash;
}

void hash_random(void *out, size_t len)
{
    uint8_t *p = out;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            random_broken();
        p += n;
        len -= (size_t)n;
    }
}

bool hash_equal(const void *a, const void *b, size_t len)
{
    return memeql_sec(a, b, len) != 0;
}

int hash_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *hash_hex(const void *data, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * len] = '\0';
    return out;
}

/* RFC 4648 §4 and §5: n bytes are n + 1 digits. Returns the end. */
static char *base64_digits(const char digits[64], const uint8_t *p, size_t len, char *o)
{
    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t bits = (uint32_t)p[i] << 16;
        bits |= n > 1 ? (uint32_t)p[i + 1] << 8 : 0;
        bits |= n > 2 ? p[i + 2] : 0;
        for (size_t k = 0; k <= n; k++)
            *o++ = digits[bits >> (18 - 6 * k) & 63];
    }
    return o;
}

#define ALNUM_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define PLAIN_DIGITS ALNUM_DIGITS "+/"
#define URL_DIGITS   ALNUM_DIGITS "-_"

char *hash_base64url(const void *data, size_t len, char *out)
{
    *base64_digits(URL_DIGITS, data, len, out) = '\0';
    return out;
}

char *hash_base64(const void *data, size_t len, char *out)
{
    char *end = base64_digits(PLAIN_DIGITS, data, len, out);
    for (size_t n = len; n % 3 != 0; n++)
        *end++ = '=';
    *end = '\0';
    return out;
}

/* The value of a digit, -1 when it is none. */
static int base64_value(const char *digits, char c)
{
    const char *found = c != '\0' ? strchr(digits, c) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

int hash_base64_decode(const char *text, size_t len, uint8_t *out, size_t *len_r)
{
    size_t padding = len > 0 && text[len - 1] == '=' ? 1 + (len > 1 && text[len - 2] == '=') : 0;
    size_t n = 0;
    uint32_t bits = 0;
    if (len % 4 != 0)
        return -1;
    for (size_t i = 0; i < len; i++) {
        int value = i < len - padding ? base64_value(PLAIN_DIGITS, text[i]) : 0;
        if (value < 0)
            return -1;
        bits = bits << 6 | (uint32_t)value;
        for (int k = 2; i % 4 == 3 && k >= 0; k--, n++)
            out[n] = (uint8_t)(bits >> (8 * k));
    }
    *len_r = n - padding;
    return 0;
}

ssize_t hash_base64url_decode(const char *text, size_t len, void *out)
{
    uint8_t *bytes = out;
    size_t n = 0;
    uint32_t bits = 0;
    unsigned n_bits = 0;
    for (size_t i = 0; i < len; i++) {
        int digit = base64_value(URL_DIGITS, text[i]);
        if (digit < 0)
            return -1;
        bits = bits << 6 | (uint32_t)digit;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            bytes[n++] = (uint8_t)(bits >> n_bits & 0xff);
        }
    }
    return n_bits < 6 && (bits & ((1u << n_bits) - 1)) == 0 ? (ssize_t)n : -1;
}
