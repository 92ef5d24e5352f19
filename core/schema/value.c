/* Hashing values for uniqueItems and enum, and showing them in sentences. */
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "schema/schema-private.h"

/* Without a secret key, whoever writes the instance could choose values that collide. */
static uint64_t hash_key[2];
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

static void hash_key_make(void)
{
    hash_random(hash_key, sizeof(hash_key));
}

/* The two halves of a 128-bit product folded together: a strong mix of a and b. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)(a ^ hash_key[0]) * (b ^ hash_key[1]);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_bytes(const char *s, size_t len, uint64_t seed)
{
    uint64_t h = mix(seed, len), word;
    for (; len >= 8; s += 8, len -= 8) {
        memcpy(&word, s, 8);
        h = mix(h, word);
    }
    word = 0;
    memcpy(&word, s, len);
    return mix(h, word ^ UINT64_C(0x9e3779b97f4a7c15));
}

static uint64_t hash_number(const json_t *value)
{
    double r = json_number_value(value);
    if (json_is_real(value) && r == floor(r) && fabs(r) < 0x1p63)
        return mix((uint64_t)(json_int_t)r, JSON_INTEGER);
    if (json_is_integer(value))
        return mix((uint64_t)json_integer_value(value), JSON_INTEGER);
    uint64_t bits;
    memcpy(&bits, &r, sizeof(bits));
    return mix(bits, JSON_REAL);
}

static uint64_t hash_value(const json_t *value, uint64_t *size)
{
    ++*size;
    uint64_t h = json_typeof(value);
    const char *key;
    size_t len, i;
    json_t *member;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        json_object_keylen_foreach((json_t *)value, key, len, member) h +=
            mix(hash_bytes(key, len, JSON_OBJECT), hash_value(member, size));
        return mix(h, JSON_OBJECT);
    case JSON_ARRAY:
        json_array_foreach (value, i, member)
            h = mix(h, hash_value(member, size));
        return mix(h, JSON_ARRAY);
    case JSON_STRING:
        *size += json_string_length(value) / 64;
        return hash_bytes(json_string_value(value), json_string_length(value), JSON_STRING);
    case JSON_INTEGER:
    case JSON_REAL:
        return hash_number(value);
    default:
        return mix(h, JSON_NULL);
    }
}

uint64_t value_hash(const json_t *value, uint64_t *size)
{
    pthread_once(&hash_key_once, hash_key_make);
    return hash_value(value, size);
}

const char *value_type_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object",   [JSON_ARRAY] = "an array", [JSON_STRING] = "a string",
        [JSON_INTEGER] = "an integer", [JSON_REAL] = "a number",  [JSON_TRUE] = "a boolean",
        [JSON_FALSE] = "a boolean",    [JSON_NULL] = "null",
    };
    return names[json_typeof(value)];
}

char *value_excerpt(const json_t *value, char out[64])
{
    if (json_is_object(value) || json_is_array(value)) {
        snprintf(out, 64, "%s", value_type_name(value));
        return out;
    }
    if (json_is_string(value)) {
        size_t len = json_string_length(value);
        size_t cut = utf8_cut(json_string_value(value), len, 40);
        snprintf(out, 64, "\"%.*s%s\"", (int)cut, json_string_value(value), cut < len ? "…" : "");
        return out;
    }
    autofree char *text = jx_encode(value, NULL);
    snprintf(out, 64, "%.60s", text);
    return out;
}

void pointer_append(struct buf *out, struct step step)
{
    if (step.key == NULL && step.len == SIZE_MAX)
        return;
    if (step.key == NULL)
        buf_printf(out, "/%zu", step.len);
    else
        jx_pointer_append(out, step.key, step.len);
}

void utf8_append(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_append_char(out, (char)c);
        return;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    buf_append_char(out, (char)(lead[more] | c >> (6 * more)));
    while (more-- > 0)
        buf_append_char(out, (char)(0x80 | (c >> (6 * more) & 0x3f)));
}
