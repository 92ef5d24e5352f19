#include "cron/zone_rule.h"

#include <ctype.h>
#include <string.h>

#include "base/clock.h"

enum { DAY = 86400, RULE_HOURS_MOST = 167 /* RFC 8536 §3.3.1 */, OFFSET_HOURS_MOST = 24 };

/* ---- parsing ---- */

/* A number of at most three digits. */
static bool scan_number(const char **p, int least, int most, int *value_r)
{
    int value = 0, digits = 0;
    for (; isdigit((unsigned char)**p) && digits < 3; (*p)++, digits++)
        value = value * 10 + (**p - '0');
    *value_r = value;
    return digits > 0 && value >= least && value <= most;
}

static bool scan_name(const char **p)
{
    const char *begin = *p;
    if (**p == '<') {
        size_t len = strcspn(*p, ">");
        if ((*p)[len] == '\0')
            return false;
        *p += len + 1;
        return true;
    }
    while (isalpha((unsigned char)**p))
        (*p)++;
    return *p - begin >= 3;
}

/* [+-]hh[:mm[:ss]] */
static bool scan_time(const char **p, int hours_most, int32_t *seconds_r)
{
    int sign = **p == '-' ? -1 : 1, hours, minutes = 0, seconds = 0;
    if (**p == '-' || **p == '+')
        (*p)++;
    if (!scan_number(p, 0, hours_most, &hours))
        return false;
    if (**p == ':' && (++*p, !scan_number(p, 0, 59, &minutes)))
        return false;
    if (**p == ':' && (++*p, !scan_number(p, 0, 59, &seconds)))
        return false;
    *seconds_r = sign * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

/* ",Mm.w.d", ",Jn" or ",n", and "/time". */
static bool scan_day(const char **p, struct zone_rule_day *day)
{
    bool good;
    *day = (struct zone_rule_day){.time = 2 * 3600};
    if (*(*p)++ != ',')
        return false;
    if (**p == 'M') {
        day->kind = RULE_MONTH;
        good = (++*p, scan_number(p, 1, 12, &day->month)) && *(*p)++ == '.' &&
               scan_number(p, 1, 5, &day->week) && *(*p)++ == '.' &&
               scan_number(p, 0, 6, &day->day);
    } else if (**p == 'J') {
        day->kind = RULE_JULIAN;
        good = (++*p, scan_number(p, 1, 365, &day->day));
    } else {
        day->kind = RULE_ORDINAL;
        good = scan_number(p, 0, 365, &day->day);
    }
    return good && (**p != '/' || (++*p, scan_time(p, RULE_HOURS_MOST, &day->time)));
}

int zone_rule_parse(const char *text, struct zone_rule *rule_r)
{
    const char *p = text;
    struct zone_rule rule = {.given = true};
    int32_t west;
    if (!scan_name(&p) || !scan_time(&p, OFFSET_HOURS_MOST, &west))
        return -1;
    rule.standard = rule.summer = -west;
    if (*p != '\0') {
        rule.changes = true;
        rule.summer += 3600;
        if (!scan_name(&p))
            return -1;
        if (*p != ',') {
            if (!scan_time(&p, OFFSET_HOURS_MOST, &west))
                return -1;
            rule.summer = -west;
        }
        if (!scan_day(&p, &rule.begin) || !scan_day(&p, &rule.end) || *p != '\0')
            return -1;
    }
    *rule_r = rule;
    return 0;
}

/* ---- asking ---- */

/* Days since 1970. */
static int64_t day_in_year(const struct zone_rule_day *rule, int year)
{
    int64_t first = clock_days_from_date(year, 1, 1);
    bool leap = clock_days_in_month(year, 2) == 29;
    if (rule->kind == RULE_ORDINAL)
        return first + rule->day;
    if (rule->kind == RULE_JULIAN) /* 29 February is not counted */
        return first + rule->day - 1 + (leap && rule->day >= 60);
    first = clock_days_from_date(year, rule->month, 1);
    int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
    int64_t day = (rule->day - weekday + 7) % 7 + (rule->week - 1) * 7;
    while (day >= clock_days_in_month(year, rule->month))
        day -= 7;
    return first + day;
}

size_t zone_rule_changes(const struct zone_rule *rule, int64_t at,
                         struct zone_rule_change out[ZONE_RULE_CHANGES])
{
    if (!rule->changes)
        return 0;
    int year, month, day;
    clock_date_from_days(at / DAY - (at % DAY < 0), &year, &month, &day);
    size_t n = 0;
    for (int y = year - 2; y <= year + 1; y++) {
        /* Local times of the change are told by the clock as it was before it. */
        struct zone_rule_change begin = {
            day_in_year(&rule->begin, y) * DAY + rule->begin.time - rule->standard, rule->summer};
        struct zone_rule_change end = {
            day_in_year(&rule->end, y) * DAY + rule->end.time - rule->summer, rule->standard};
        bool north = begin.at < end.at;
        const struct zone_rule_change both[2] = {north ? begin : end, north ? end : begin};
        for (int i = 0; i < 2; i++) {
            /* Summer time all year ends when it begins: nothing happens then. */
            n -= n > 0 && out[n - 1].at >= both[i].at;
            out[n++] = both[i];
        }
    }
    return n;
}
