/* Cron expressions: five fields, or a name such as @daily; and when one comes next in a time zone.
 *
 * Field          Values   Names
 * minute         0-59
 * hour           0-23
 * day of month   1-31
 * month          1-12     jan … dec
 * day of week    0-7      sun … sat; 0 and 7 are Sunday
 *
 * A field is a star, a value, a range `a-b`, a star or a range with a step (`a-b/n`), or a list of
 * these with commas. When day of month and day of week are both restricted (neither begins with a
 * star), a day that fits either of them fits.
 *
 * Changes of the local clock by less than three hours are treated as Debian's cron(8) does. A job
 * whose minute and hour both do not begin with a star is for fixed times: if a change forward skips
 * one of them, it comes once right after the change; if a change back repeats one, it comes the
 * first time only. All others (wildcard jobs) follow the clock. Larger changes are corrections:
 * what they skip is skipped, what they repeat comes again. */
#ifndef C9_CRON_CRON_H
#define C9_CRON_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cron/zone.h"

enum { CRON_TEXT_MAX = 256 };

struct cron {
    uint64_t minutes;
    uint32_t hours, days;
    uint16_t months;
    uint8_t weekdays; /* bit 0: Sunday */
    bool wild;        /* minute or hour begins with '*' */
    bool either;      /* a day that fits days or weekdays is enough */
};

/* E_INVALID_REQUEST names field and place, also as details.field and details.position (characters
 * from 1). What can never come (30 February) is refused. */
int cron_parse(const char *text, struct cron *cron_r, struct error *err);

/* The first time after `after`, both in seconds since 1970. False: none within 50 years. Any
 * thread. */
bool cron_next(const struct cron *cron, const struct zone *zone, int64_t after, int64_t *at_r);

#endif
