/* Digests against published vectors. */
#include "base/hash.h"

#include "base/cleanup.h"
#include "tap.h"

static void test_sha256(void)
{
    char hex[SHA256_HEX_SIZE];
    is_str(hash_sha256_hex("", 0, hex),
           "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
           "SHA-256 of nothing");
    is_str(hash_sha256_hex("abc", 3, hex),
           "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
           "SHA-256 of abc (FIPS 180-4)");
}

/* RFC 4231, test cases 1, 2, 6. */
static void test_hmac(void)
{
    uint8_t out[SHA256_SIZE], key[131];
    char hex[SHA256_HEX_SIZE];
    memset(key, 0x0b, 20);
    hash_hmac_sha256(key, 20, "Hi There", 8, out);
    is_str(hash_hex(out, sizeof(out), hex),
           "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7", "RFC 4231 case 1");
    hash_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, out);
    is_str(hash_hex(out, sizeof(out), hex),
           "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "RFC 4231 case 2");
    memset(key, 0xaa, sizeof(key));
    hash_hmac_sha256(key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First", 54,
                     out);
    is_str(hash_hex(out, sizeof(out), hex),
           "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
           "RFC 4231 case 6: a key longer than a block");
    hash_hmac_sha256(NULL, 0, "", 0, out);
    is_str(hash_hex(out, sizeof(out), hex),
           "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", "no key, no data");
}

static void test_text(void)
{
    /* RFC 4648 §10; the URL alphabet without padding, then §4. */
    static const char *const rows[][3] = {
        {"", "", ""},
        {"f", "Zg", "Zg=="},
        {"fo", "Zm8", "Zm8="},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg", "Zm9vYg=="},
        {"fooba", "Zm9vYmE", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xFB\xFF\xFE", "-__-", "+//+"},
    };
    char out[32];
    for (size_t i = 0; i < countof(rows); i++) {
        is_str(hash_base64url(rows[i][0], strlen(rows[i][0]), out), rows[i][1], "base64url '%s'",
               rows[i][1]);
        is_str(hash_base64(rows[i][0], strlen(rows[i][0]), out), rows[i][2], "base64 '%s'",
               rows[i][2]);
    }
    is_str(hash_hex("\x00\xff\x1a", 3, out), "00ff1a", "hex is lower case");
}

/* FNV-1a's own vectors (isthe.com/chongo/tech/comp/fnv). */
static void test_tables(void)
{
    is_int(hash_fnv1a(HASH_FNV1A, "", 0), 0x811c9dc5, "FNV-1a of nothing");
    is_int(hash_fnv1a(HASH_FNV1A, "foobar", 6), 0xbf9cf968, "FNV-1a of foobar");
    is_int(hash_fnv1a(hash_fnv1a(HASH_FNV1A, "foo", 3), "bar", 3), 0xbf9cf968, "in two pieces");
    static const char digits[] = "0123456789abcdefABCDEF", others[] = "/:@G`g\xc3";
    for (size_t i = 0; i < strlen(digits); i++)
        is_int(hash_hex_value(digits[i]), i < 16 ? i : i - 6, "%c is a digit", digits[i]);
    for (size_t i = 0; i < sizeof(others); i++)
        is_int(hash_hex_value(others[i]), -1, "byte %d is none", others[i]);
}

static void test_random(void)
{
    uint8_t a[600] = {0}, b[600] = {0};
    hash_random(a, sizeof(a));
    hash_random(b, sizeof(b));
    ok(!hash_equal(a, b, sizeof(a)), "two draws differ");
    ok(hash_equal(a, a, sizeof(a)), "equal bytes are equal");
    memcpy(b, a, sizeof(a));
    b[599] ^= 1;
    ok(!hash_equal(a, b, sizeof(a)), "one bit at the end makes a difference");
    ok(hash_equal(a, b, 599), "and not before it");
}

int main(void)
{
    test_sha256();
    test_hmac();
    test_text();
    test_tables();
    test_random();
    return done_testing();
}
