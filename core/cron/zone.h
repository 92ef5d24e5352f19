/* Time zones, read from the compiled files of the tz database (TZif, RFC 8536), /usr/share/zoneinfo
 * on Debian. Nothing is read before the first zone is asked for. Times are seconds since 1970, UTC.
 */
#ifndef C9_CRON_ZONE_H
#define C9_CRON_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

/* Immutable; any thread. */
struct zone;

/* A stretch of time in which the local clock is `offset` seconds ahead of UTC; `before` it begins,
 * it was that many ahead (the same in the very first one). */
struct zone_span {
    int64_t begin, end; /* begin <= t < end; ZONE_BEGIN and ZONE_END: for ever */
    int32_t offset, before;
};
#define ZONE_BEGIN (INT64_MIN / 4)
#define ZONE_END   (INT64_MAX / 4)
struct zone_span zone_span(const struct zone *zone, int64_t at);

/* From the bytes of a TZif file; NULL with E_INVALID_REQUEST when they are none. */
struct zone *zone_decode(const void *data, size_t len, struct error *err);
struct zone *zone_ref(struct zone *zone);
void zone_unref(struct zone *zone); /* NULL is fine */
static inline void zone_cleanup(struct zone **zone)
{
    zone_unref(*zone);
}
#define zone_auto cleanup(zone_cleanup) struct zone

/* Zones by name, kept once read; a file that has changed is read again. Any thread. */
struct zones;
struct zones *zones_new(const char *folder);
void zones_free(struct zones *zones); /* NULL is fine */
/* A reference, or NULL with E_INVALID_REQUEST (no such name) or E_UNAVAILABLE (no tz database). */
struct zone *zones_get(struct zones *zones, const char *name, struct error *err);

#endif
