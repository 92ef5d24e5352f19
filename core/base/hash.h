/* Digests, randomness, and text forms of bytes; on Nettle: it is code and tables only, where
 * libcrypto takes 3 MB for one digest. Any thread. */
#ifndef C9_BASE_HASH_H
#define C9_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SHA256_SIZE     32
#define SHA256_HEX_SIZE 65 /* with NUL */

void hash_sha256(const void *data, size_t len, uint8_t out[SHA256_SIZE]);
char *hash_sha256_hex(const void *data, size_t len, char out[SHA256_HEX_SIZE]); /* returns out */
void hash_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                      uint8_t out[SHA256_SIZE]);
/* For tables: FNV-1a, of 32 bits. hash: HASH_FNV1A, or that of what stands before it. */
#define HASH_FNV1A 2166136261u
uint32_t hash_fnv1a(uint32_t hash, const void *data, size_t len);
void hash_random(void *out, size_t len); /* from the kernel; aborts when there is none */
bool hash_equal(const void *a, const void *b, size_t len); /* constant time */
char *hash_hex(const void *data, size_t len, char *out);   /* out: 2*len+1; returns out */
int hash_hex_value(char c);                                /* of a hexadecimal digit, or -1 */
/* base64url without padding; out: (len*4+2)/3+1. Returns out. */
char *hash_base64url(const void *data, size_t len, char *out);
/* The inverse: the length of out (at most len*3/4 bytes), or -1 when it is not base64url without
 * padding, with the bits behind the last byte zero. */
ssize_t hash_base64url_decode(const char *text, size_t len, void *out);
/* base64 with padding; out: (len+2)/3*4+1. Returns out. */
char *hash_base64(const void *data, size_t len, char *out);
/* The inverse of hash_base64, padding and all; out: len/4*3 at least. 0, or -1 when text is no
 * base64. */
int hash_base64_decode(const char *text, size_t len, uint8_t *out, size_t *len_r);

#endif
