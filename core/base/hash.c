/* Digests and randomness. */
#include "base/hash.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/types.h>

/* Fetched once: OpenSSL 3 otherwise looks the algorithm up by name for every digest. */
static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void __attribute__((noreturn)) hash_broken(const char *what)
{
    fprintf(stderr, "c9d: %s failed; libcrypto or the kernel is unusable\n", what);
    abort();
}

static void sha256_fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    if (sha256 == NULL)
        hash_broken("fetching SHA-256");
}

void hash_sha256(const void *data, size_t len, uint8_t out[SHA256_SIZE])
{
    pthread_once(&sha256_once, sha256_fetch);
    if (EVP_Digest(data, len, out, NULL, sha256, NULL) != 1)
        hash_broken("SHA-256");
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
    uint8_t digest[SHA256_SIZE];
    pthread_once(&sha256_once, sha256_fetch);
    /* HMAC takes an int; RFC 2104 replaces a key longer than a block by its digest anyway. */
    if (key_len > 64) {
        hash_sha256(key, key_len, digest);
        key = digest;
        key_len = sizeof(digest);
    }
    if (HMAC(sha256, key, (int)key_len, data, len, out, NULL) == NULL)
        hash_broken("HMAC-SHA-256");
    OPENSSL_cleanse(digest, sizeof(digest));
}

void hash_random(void *out, size_t len)
{
    uint8_t *p = out;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            hash_broken("getrandom");
        p += n;
        len -= (size_t)n;
    }
}

bool hash_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
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

char *hash_base64url(const void *data, size_t len, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const uint8_t *p = data;
    char *o = out;
    for (size_t i = 0; i < len; i += 3) {
        size_t n = len - i < 3 ? len - i : 3;
        uint32_t bits = (uint32_t)p[i] << 16;
        bits |= n > 1 ? (uint32_t)p[i + 1] << 8 : 0;
        bits |= n > 2 ? p[i + 2] : 0;
        for (size_t k = 0; k <= n; k++) /* n bytes are n + 1 digits */
            *o++ = digits[bits >> (18 - 6 * k) & 63];
    }
    *o = '\0';
    return out;
}
