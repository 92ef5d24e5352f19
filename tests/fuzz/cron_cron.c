/* Any text as a cron expression; what is taken comes again and again, later each time, and on whole
 * minutes, also over changes of the clock. */
#include "cron/cron.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct zones *zones;
    static struct zone *zone;
    error_auto err = ERROR_INIT;
    if (zones == NULL) {
        zones = zones_new("/usr/share/zoneinfo");
        zone = zones_get(zones, "Australia/Lord_Howe", &err);
        must(zone != NULL);
    }
    autofree char *text = xstrndup((const char *)data, size < 1024 ? size : 1024);
    struct cron cron;
    if (cron_parse(text, &cron, &err) < 0) {
        must(err.code == E_INVALID_REQUEST && err.message[0] != '\0');
        return 0;
    }
    must(cron.minutes != 0 && cron.hours != 0 && cron.days != 0 && cron.months != 0 &&
         cron.weekdays != 0);
    int64_t at = 1758000000; /* 2025-09-16 */
    for (int i = 0; i < 50; i++) {
        int64_t next;
        if (!cron_next(&cron, zone, at, &next))
            return 0; /* once in more than 50 years */
        must(next > at && next % 60 == 0);
        at = next;
    }
    return 0;
}
