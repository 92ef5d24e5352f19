/* The rule in the footer of a TZif file: a TZ string of POSIX, with RFC 8536's wider hours, such as
 * "CET-1CEST,M3.5.0,M10.5.0/3". For the innards of this room. */
#ifndef C9_CRON_ZONE_RULE_H
#define C9_CRON_ZONE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A day of each year, and the local time of the change, in seconds. */
struct zone_rule_day {
    enum { RULE_MONTH, RULE_JULIAN, RULE_ORDINAL } kind;
    int month, week, day;
    int32_t time;
};
struct zone_rule {
    bool given, changes;             /* changes: there is summer time */
    int32_t standard, summer;        /* seconds ahead of UTC */
    struct zone_rule_day begin, end; /* of summer time */
};

int zone_rule_parse(const char *text, struct zone_rule *rule_r); /* 0, or -1 */

struct zone_rule_change {
    int64_t at;
    int32_t offset; /* from then on */
};
enum { ZONE_RULE_CHANGES = 8 };
/* The changes of the years around `at`, rising: from two years before it to the year after it. */
size_t zone_rule_changes(const struct zone_rule *rule, int64_t at,
                         struct zone_rule_change out[ZONE_RULE_CHANGES]);

#endif
