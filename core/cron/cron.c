#include "cron/cron.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

enum { MINUTE = 60, DAY = 86400, FIELDS = 5, WEEKDAY_EPOCH = 4 /* 1970-01-01 was a Thursday */ };
#define HORIZON      (INT64_C(50) * 366 * DAY)
#define CHANGE_BOUND (INT64_C(3) * 3600)

/* ---- parsing ---- */

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                          "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct field {
    const char *name;
    int low, high;
    const char *const *names; /* the first is `low` */
    int n_names;
};
enum { FIELD_MINUTE, FIELD_HOUR, FIELD_DAY, FIELD_MONTH, FIELD_WEEKDAY };
static const struct field fields[FIELDS] = {
    [FIELD_MINUTE] = {"minute", 0, 59, NULL, 0},
    [FIELD_HOUR] = {"hour", 0, 23, NULL, 0},
    [FIELD_DAY] = {"day of month", 1, 31, NULL, 0},
    [FIELD_MONTH] = {"month", 1, 12, month_names, countof(month_names)},
    [FIELD_WEEKDAY] = {"day of week", 0, 7, weekday_names, countof(weekday_names)},
};

static const struct {
    const char *name, *fields;
} nicknames[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

struct scan {
    const char *text, *p;
    const struct field *field;
    struct error *err;
};

__attribute__((format(printf, 3, 4))) static int refuse(struct scan *s, const char *at,
                                                        const char *fmt, ...)
{
    char why[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    long place = (long)(at - s->text) + 1;
    error_set(s->err, E_INVALID_REQUEST, "%s (character %ld of the cron expression): %s",
              s->field->name, place, why);
    error_detail(s->err, "field", json_string(s->field->name));
    error_detail(s->err, "position", json_integer(place));
    return -1;
}

static bool in_word(char c)
{
    return c != '\0' && strchr(" \t,-/", c) == NULL;
}

static int scan_name(struct scan *s, size_t len, int *value_r)
{
    for (int i = 0; i < s->field->n_names; i++) {
        if (len != strlen(s->field->names[i]) || strncasecmp(s->p, s->field->names[i], len) != 0)
            continue;
        *value_r = s->field->low + i;
        s->p += len;
        return 0;
    }
    if (s->field->names == NULL)
        return refuse(s, s->p, "'%.*s' is not a number from %d to %d", (int)(len < 20 ? len : 20),
                      s->p, s->field->low, s->field->high);
    return refuse(s, s->p, "'%.*s' is neither a number from %d to %d nor one of %s … %s",
                  (int)(len < 20 ? len : 20), s->p, s->field->low, s->field->high,
                  s->field->names[0], s->field->names[s->field->n_names - 1]);
}

/* A number, or a name of the field. */
static int scan_value(struct scan *s, int *value_r)
{
    size_t len = 0;
    while (in_word(s->p[len]))
        len++;
    if (len == 0)
        return refuse(s, s->p,
                      s->p[0] == '\0' ? "a value is missing at the end"
                                      : "a value is "
                                        "missing");
    if (strspn(s->p, "0123456789") < len)
        return scan_name(s, len, value_r);
    int value = 0;
    for (size_t i = 0; i < len && value <= s->field->high; i++)
        value = value * 10 + (s->p[i] - '0');
    if (value < s->field->low || value > s->field->high)
        return refuse(s, s->p, "%.*s is not from %d to %d", (int)(len < 20 ? len : 20), s->p,
                      s->field->low, s->field->high);
    *value_r = value;
    s->p += len;
    return 0;
}

static int scan_step(struct scan *s, bool single, int *step_r)
{
    int most = s->field->high - s->field->low + (s->field->low > 0);
    const char *at = ++s->p;
    size_t digits = strspn(s->p, "0123456789");
    if (single)
        return refuse(s, at - 1, "a step needs a range, such as %d-%d/5, or *", s->field->low,
                      s->field->high);
    if (digits == 0 || in_word(s->p[digits]))
        return refuse(s, at, "a step must be a number");
    int step = 0;
    for (; digits > 0; digits--, s->p++)
        step = step <= most ? step * 10 + (*s->p - '0') : step;
    if (step < 1 || step > most)
        return refuse(s, at, "a step must be from 1 to %d", most);
    *step_r = step;
    return 0;
}

/* "*", a value or a range, with or without a step. */
static int scan_item(struct scan *s, uint64_t *bits)
{
    const char *at = s->p;
    int first = s->field->low, last = s->field->high, step = 1;
    bool single = false;
    if (*s->p == '*') {
        s->p++;
    } else {
        if (scan_value(s, &first) < 0)
            return -1;
        last = first;
        single = *s->p != '-';
        if (!single) {
            s->p++;
            if (scan_value(s, &last) < 0)
                return -1;
            /* fri-sun: Sunday ends a week as well as it begins one. */
            if (s->field == &fields[FIELD_WEEKDAY] && last == 0 && first > 0)
                last = 7;
        }
    }
    if (*s->p == '/' && scan_step(s, single, &step) < 0)
        return -1;
    if (first > last)
        return refuse(s, at, "the range begins at %d and ends before it, at %d", first, last);
    for (int value = first; value <= last; value += step)
        *bits |= UINT64_C(1) << value;
    return 0;
}

static int scan_field(struct scan *s, uint64_t *bits_r)
{
    *bits_r = 0;
    for (;; s->p++) {
        if (scan_item(s, bits_r) < 0)
            return -1;
        if (*s->p != ',')
            break;
    }
    if (*s->p != '\0' && *s->p != ' ' && *s->p != '\t')
        return refuse(s, s->p, "'%c' is not expected here", *s->p);
    return 0;
}

/* Whether some month that fits has a day that fits. */
static bool can_come(const struct cron *cron)
{
    for (int month = 1; month <= 12 && !cron->either; month++) {
        uint32_t there = (uint32_t)((UINT64_C(2) << clock_days_in_month(2000, month)) - 2);
        if ((cron->months >> month & 1) != 0 && (cron->days & there) != 0)
            return true;
    }
    return cron->either;
}

static int fields_parse(struct scan *s, struct cron *cron)
{
    uint64_t bits[FIELDS];
    bool star[FIELDS];
    for (int i = 0; i < FIELDS; i++) {
        s->field = &fields[i];
        s->p += strspn(s->p, " \t");
        if (*s->p == '\0')
            return refuse(s, s->p,
                          "the field is missing; there are five: minute, hour, day of "
                          "month, month, day of week");
        star[i] = *s->p == '*';
        if (scan_field(s, &bits[i]) < 0)
            return -1;
    }
    s->p += strspn(s->p, " \t");
    if (*s->p != '\0')
        return refuse(s, s->p,
                      "there is something behind the fifth field; seconds and years are "
                      "not taken");
    *cron =
        (struct cron){.minutes = bits[FIELD_MINUTE],
                      .hours = (uint32_t)bits[FIELD_HOUR],
                      .days = (uint32_t)bits[FIELD_DAY],
                      .months = (uint16_t)bits[FIELD_MONTH],
                      .weekdays = (uint8_t)((bits[FIELD_WEEKDAY] | bits[FIELD_WEEKDAY] >> 7) & 127),
                      .wild = star[FIELD_MINUTE] || star[FIELD_HOUR],
                      .either = !star[FIELD_DAY] && !star[FIELD_WEEKDAY]};
    s->field = &fields[FIELD_DAY];
    return can_come(cron) ? 0
                          : refuse(s, s->text, "it never comes: none of the months has such a day");
}

static int nickname_parse(struct scan *s, struct cron *cron)
{
    size_t len = strcspn(s->p, " \t");
    bool alone = s->p[len + strspn(s->p + len, " \t")] == '\0';
    if (alone && len == 7 && strncasecmp(s->p, "@reboot", len) == 0)
        return error_set(s->err, E_INVALID_REQUEST,
                         "@reboot is not taken: a schedule runs at times, and a restart of the "
                         "server is not one; execute the agent from a unit that starts after c9d");
    for (size_t i = 0; alone && i < countof(nicknames); i++) {
        if (len != strlen(nicknames[i].name) || strncasecmp(s->p, nicknames[i].name, len) != 0)
            continue;
        s->text = s->p = nicknames[i].fields;
        return fields_parse(s, cron);
    }
    return error_set(s->err, E_INVALID_REQUEST,
                     "'%.20s' is none of @yearly, @annually, @monthly, @weekly, @daily, @midnight, "
                     "@hourly",
                     s->p);
}

int cron_parse(const char *text, struct cron *cron_r, struct error *err)
{
    struct scan s = {text, text + strspn(text, " \t"), &fields[0], err};
    if (strlen(text) > CRON_TEXT_MAX)
        return error_set(err, E_INVALID_REQUEST, "a cron expression has at most %d characters",
                         CRON_TEXT_MAX);
    return *s.p == '@' ? nickname_parse(&s, cron_r) : fields_parse(&s, cron_r);
}

/* ---- the next time ---- */

static bool day_fits(const struct cron *cron, int64_t days, int day)
{
    int64_t weekday = (days + WEEKDAY_EPOCH) % 7;
    bool by_day = (cron->days >> day & 1) != 0;
    bool by_weekday = (cron->weekdays >> (weekday < 0 ? weekday + 7 : weekday) & 1) != 0;
    return cron->either ? by_day || by_weekday : by_day && by_weekday;
}

/* The first minute of a day, from `minute` on; -1: none. */
static int minute_next(const struct cron *cron, int minute)
{
    for (int hour = minute / 60, least = minute % 60; hour < 24; hour++, least = 0) {
        uint64_t left = cron->minutes >> least << least;
        if ((cron->hours >> hour & 1) != 0 && left != 0)
            return hour * 60 + __builtin_ctzll(left);
    }
    return -1;
}

static int64_t minute_up(int64_t seconds)
{
    int64_t rest = ((seconds % MINUTE) + MINUTE) % MINUTE;
    return rest == 0 ? seconds : seconds + MINUTE - rest;
}

/* The first time that the local clock shows one that fits, from a whole minute on. */
static bool local_next(const struct cron *cron, int64_t from, int64_t until, int64_t *local_r)
{
    int64_t days = from / DAY - (from % DAY < 0);
    int minute = (int)((from - days * DAY) / MINUTE);
    for (; days * DAY < until; days++, minute = 0) {
        int year, month, day;
        clock_date_from_days(days, &year, &month, &day);
        if ((cron->months >> month & 1) == 0) {
            days += clock_days_in_month(year, month) - day;
            continue;
        }
        int found = day_fits(cron, days, day) ? minute_next(cron, minute) : -1;
        if (found < 0)
            continue;
        *local_r = days * DAY + (int64_t)found * MINUTE;
        return *local_r < until;
    }
    return false;
}

bool cron_next(const struct cron *cron, const struct zone *zone, int64_t after, int64_t *at_r)
{
    int64_t local, horizon = after + HORIZON;
    for (int64_t at = after + 1; at < horizon;) {
        const struct zone_span span = zone_span(zone, at);
        int64_t from = minute_up(at + span.offset);
        int64_t change = span.offset - span.before;
        if (!cron->wild && change > 0 && change < CHANGE_BOUND) {
            int64_t first = minute_up(span.begin + span.offset);
            if (from == first &&
                local_next(cron, minute_up(span.begin + span.before), first, &local)) {
                *at_r = first - span.offset;
                return true;
            }
        }
        if (!cron->wild && change < 0 && change > -CHANGE_BOUND && from < span.begin + span.before)
            from = minute_up(span.begin + span.before);
        int64_t until = span.end < horizon ? span.end : horizon;
        if (local_next(cron, from, until + span.offset, &local)) {
            *at_r = local - span.offset;
            return true;
        }
        at = span.end;
    }
    return false;
}
