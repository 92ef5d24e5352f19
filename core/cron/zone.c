/* TZif files (RFC 8536): transitions, and the rule for the time after the last one. */
#include "cron/zone.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "cron/zone_rule.h"

enum {
    HEADER = 44,
    TYPE_SIZE = 6,
    OFFSET_LEAST = -89999, /* RFC 8536 §3.2 */
    OFFSET_MOST = 93599
};

struct transition {
    int64_t at;
    int32_t offset; /* from then on */
};

struct zone {
    atomic_int refs;
    int32_t first; /* the offset before all transitions */
    size_t n;
    struct transition *transitions; /* rising; each changes the offset */
    struct zone_rule rule;
};

/* ---- decoding ---- */

struct counts {
    uint32_t utc, standard, leap, time, type, text;
};

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const uint8_t *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

static int bad(struct error *err, const char *what)
{
    return error_set(err, E_INVALID_REQUEST, "not a time zone file: %s", what);
}

/* The header at p, and the size of the data behind it. */
static int header_read(const uint8_t *p, size_t len, size_t time_size, struct counts *c,
                       size_t *size_r, struct error *err)
{
    if (len < HEADER || memcmp(p, "TZif", 4) != 0)
        return bad(err, "the header is missing");
    *c = (struct counts){be32(p + 20), be32(p + 24), be32(p + 28),
                         be32(p + 32), be32(p + 36), be32(p + 40)};
    uint64_t size = (uint64_t)c->time * (time_size + 1) + (uint64_t)c->type * TYPE_SIZE + c->text +
                    (uint64_t)c->leap * (time_size + 4) + c->standard + c->utc;
    if (c->type == 0 || c->type > 256 || size > len - HEADER)
        return bad(err, "it is cut short");
    *size_r = (size_t)size;
    return 0;
}

static int type_offset(const uint8_t *types, uint32_t n, uint32_t index, int32_t *offset_r,
                       struct error *err)
{
    if (index >= n)
        return bad(err, "a transition has no type");
    int32_t offset = (int32_t)be32(types + (size_t)index * TYPE_SIZE);
    if (offset < OFFSET_LEAST || offset > OFFSET_MOST)
        return bad(err, "an offset is out of range");
    *offset_r = offset;
    return 0;
}

static int transitions_read(struct zone *zone, const uint8_t *p, const struct counts *c,
                            size_t time_size, struct error *err)
{
    const uint8_t *indexes = p + (size_t)c->time * time_size, *types = indexes + c->time;
    zone->transitions = xcalloc(c->time + (size_t)1, sizeof(*zone->transitions));
    if (type_offset(types, c->type, 0, &zone->first, err) < 0)
        return -1;
    int32_t offset = zone->first;
    for (uint32_t i = 0; i < c->time; i++) {
        const uint8_t *t = p + (size_t)i * time_size;
        struct transition next = {.at = time_size == 8 ? be64(t) : (int32_t)be32(t)};
        if (type_offset(types, c->type, indexes[i], &next.offset, err) < 0)
            return -1;
        if (next.at < ZONE_BEGIN || next.at > ZONE_END ||
            (zone->n > 0 && next.at <= zone->transitions[zone->n - 1].at))
            return bad(err, "the transitions are not in order");
        if (next.offset == offset) /* the name changes, or what counts as summer time */
            continue;
        offset = next.offset;
        zone->transitions[zone->n++] = next;
    }
    return 0;
}

/* "\nRULE\n"; an empty one: the last offset stays. */
static int footer_read(struct zone *zone, const char *p, size_t len, struct error *err)
{
    const char *end = len > 1 && p[0] == '\n' ? memchr(p + 1, '\n', len - 1) : NULL;
    if (end == NULL)
        return bad(err, "the footer is missing");
    if (end == p + 1)
        return 0;
    autofree char *text = xstrndup(p + 1, (size_t)(end - p) - 1);
    if (zone_rule_parse(text, &zone->rule) < 0)
        return bad(err, "the rule in the footer is malformed");
    return 0;
}

static int decode(struct zone *zone, const uint8_t *p, size_t len, struct error *err)
{
    struct counts counts = {0};
    size_t size = 0;
    if (header_read(p, len, 4, &counts, &size, err) < 0)
        return -1;
    int32_t last = 0;
    if (p[4] == '\0') {
        if (transitions_read(zone, p + HEADER, &counts, 4, err) < 0)
            return -1;
    } else {
        p += HEADER + size;
        len -= HEADER + size;
        if (header_read(p, len, 8, &counts, &size, err) < 0 ||
            transitions_read(zone, p + HEADER, &counts, 8, err) < 0 ||
            footer_read(zone, (const char *)p + HEADER + size, len - HEADER - size, err) < 0)
            return -1;
    }
    last = zone->n > 0 ? zone->transitions[zone->n - 1].offset : zone->first;
    if (!zone->rule.given)
        zone->rule = (struct zone_rule){.given = true, .standard = last, .summer = last};
    return 0;
}

struct zone *zone_decode(const void *data, size_t len, struct error *err)
{
    struct zone *zone = xcalloc(1, sizeof(*zone));
    atomic_init(&zone->refs, 1);
    if (decode(zone, data, len, err) == 0)
        return zone;
    zone_unref(zone);
    return NULL;
}

struct zone *zone_ref(struct zone *zone)
{
    atomic_fetch_add(&zone->refs, 1);
    return zone;
}

void zone_unref(struct zone *zone)
{
    if (zone == NULL || atomic_fetch_sub(&zone->refs, 1) > 1)
        return;
    free(zone->transitions);
    free(zone);
}

/* ---- asking ---- */

/* Behind the last transition. */
static struct zone_span span_by_rule(const struct zone *zone, int64_t at, struct zone_span last)
{
    struct zone_rule_change changes[ZONE_RULE_CHANGES];
    size_t n = zone_rule_changes(&zone->rule, at, changes);
    struct zone_span span = last;
    /* A rule that disagrees with the last transition takes effect with its first change. */
    for (size_t i = 0; i < n; i++) {
        if (changes[i].at <= span.begin || changes[i].offset == span.offset)
            continue;
        if (changes[i].at > at) {
            span.end = changes[i].at;
            break;
        }
        span = (struct zone_span){changes[i].at, ZONE_END, changes[i].offset, span.offset};
    }
    return span;
}

struct zone_span zone_span(const struct zone *zone, int64_t at)
{
    size_t low = 0, high = zone->n; /* transitions before `low` are not after at */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->transitions[middle].at <= at)
            low = middle + 1;
        else
            high = middle;
    }
    const struct transition *t = zone->transitions;
    struct zone_span span = {.begin = low > 0 ? t[low - 1].at : ZONE_BEGIN,
                             .end = low < zone->n ? t[low].at : ZONE_END,
                             .offset = low > 0 ? t[low - 1].offset : zone->first,
                             .before = low > 1 ? t[low - 2].offset : zone->first};
    return low == zone->n ? span_by_rule(zone, at, span) : span;
}
