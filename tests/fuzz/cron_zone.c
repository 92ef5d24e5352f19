/* Any bytes as a TZif file; what is taken has spans that follow one another. */
#include "cron/zone.h"

#include <stdbool.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    error_auto err = ERROR_INIT;
    zone_auto *zone = zone_decode(data, size, &err);
    if (zone == NULL) {
        must(err.code == E_INVALID_REQUEST && err.message[0] != '\0');
        return 0;
    }
    int64_t at = 0;
    int32_t offset = 0;
    for (int i = 0; i < 300 && at < INT64_C(7258118400); i++) {
        const struct zone_span span = zone_span(zone, at);
        must(span.begin <= at && at < span.end);
        must(i == 0 || span.before == offset);
        offset = span.offset;
        at = span.end;
    }
    return 0;
}
