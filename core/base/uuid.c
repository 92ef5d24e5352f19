/* UUIDs: by time, and by text. */
#include "base/uuid.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

/* Milliseconds and counter of the last id, as one number: ms << 12 | counter. The next id takes
 * the present moment, or the last number plus one, whichever is more: so ids rise also when the
 * clock steps back, and a counter that overflows carries into the milliseconds (RFC 9562 §6.2). */
static _Atomic uint64_t last_tick;

/* Random bytes are fetched for many ids at a time; each thread has its own. Not for use on both
 * sides of a fork: the child would repeat the parent's bits. */
static _Thread_local struct {
    uint64_t words[64];
    size_t left;
} pool;

static uint64_t random_word(void)
{
    if (pool.left == 0) {
        hash_random(pool.words, sizeof(pool.words));
        pool.left = sizeof(pool.words) / sizeof(pool.words[0]);
    }
    return pool.words[--pool.left];
}

static uint64_t tick_next(uint64_t seed)
{
    uint64_t now = (uint64_t)(clock_wall_us() / 1000) << 12 | seed;
    uint64_t last = atomic_load_explicit(&last_tick, memory_order_relaxed), next;
    do {
        next = now > last ? now : last + 1;
    } while (!atomic_compare_exchange_weak_explicit(&last_tick, &last, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return next;
}

char *uuid_make(char out[UUID_SIZE])
{
    uint64_t random = random_word();
    /* The counter starts at a random place in its lowest sixteenth. The 62 bits behind it are
     * drawn apart, so that they say nothing about it. */
    uint64_t tick = tick_next(random_word() & 0xFF);
    uint8_t bytes[16];
    for (int i = 0; i < 6; i++)
        bytes[i] = (uint8_t)(tick >> (12 + 8 * (5 - i)));
    bytes[6] = (uint8_t)(0x70 | (tick >> 8 & 0x0F));
    bytes[7] = (uint8_t)tick;
    memcpy(bytes + 8, &random, sizeof(random));
    bytes[8] = (uint8_t)(0x80 | (bytes[8] & 0x3F));

    char hex[2 * sizeof(bytes) + 1];
    hash_hex(bytes, sizeof(bytes), hex);
    static const struct {
        uint8_t to, from, len;
    } groups[] = {{0, 0, 8}, {9, 8, 4}, {14, 12, 4}, {19, 16, 4}, {24, 20, 12}};
    memcpy(out, "00000000-0000-0000-0000-000000000000", UUID_SIZE);
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        memcpy(out + groups[i].to, hex + groups[i].from, groups[i].len);
    return out;
}

char *uuid_of_text(const char *text, size_t len, char out[UUID_SIZE])
{
    char hex[SHA256_HEX_SIZE];
    hash_sha256_hex(text, len, hex);
    snprintf(out, UUID_SIZE, "%.8s-%.4s-8%.3s-a%.3s-%.12s", hex, hex + 8, hex + 12, hex + 15,
             hex + 18);
    return out;
}

char *uuid_behind(const char *id, uint64_t place, const char *text, size_t len, char out[UUID_SIZE])
{
    enum { TIME = 13, PLACE = 15, PLACE_MAX = 0xFFF }; /* characters of the text */
    char digits[4];
    uuid_of_text(text, len, out);
    memcpy(out, id, TIME);
    snprintf(digits, sizeof(digits), "%03x",
             (unsigned)(place < PLACE_MAX ? place : PLACE_MAX) & PLACE_MAX);
    memcpy(out + PLACE, digits, 3);
    return out;
}

bool uuid_valid(const char *s, size_t len)
{
    if (len != UUID_SIZE - 1)
        return false;
    for (size_t i = 0; i < len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool digit = (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f');
        if (dash ? s[i] != '-' : !digit)
            return false;
    }
    return true;
}
