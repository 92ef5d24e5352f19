/* The formats that are asserted. Each takes any bytes. */
#include <string.h>

#include "schema/schema-private.h"

static bool digits(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] < '0' || s[i] > '9')
            return false;
    return true;
}

static int two(const char *s)
{
    return (s[0] - '0') * 10 + (s[1] - '0');
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* RFC 3339 full-date. */
static bool format_date(const char *s, size_t len)
{
    if (len != 10 || !digits(s, 4) || s[4] != '-' || !digits(s + 5, 2) || s[7] != '-' ||
        !digits(s + 8, 2))
        return false;
    int year = two(s) * 100 + two(s + 2), month = two(s + 5), day = two(s + 8);
    return month >= 1 && month <= 12 && day >= 1 && day <= days_in_month(year, month);
}

/* "Z" or "+hh:mm" at s up to its end; minutes east of UTC. */
static bool time_offset(const char *s, size_t len, int *minutes_r)
{
    *minutes_r = 0;
    if (len == 1)
        return *s == 'Z' || *s == 'z';
    if (len != 6 || (*s != '+' && *s != '-') || !digits(s + 1, 2) || s[3] != ':' ||
        !digits(s + 4, 2) || two(s + 1) > 23 || two(s + 4) > 59)
        return false;
    *minutes_r = (two(s + 1) * 60 + two(s + 4)) * (*s == '-' ? -1 : 1);
    return true;
}

/* RFC 3339 full-time. A leap second ends a day in UTC. */
static bool format_time(const char *s, size_t len)
{
    if (len < 9 || !digits(s, 2) || s[2] != ':' || !digits(s + 3, 2) || s[5] != ':' ||
        !digits(s + 6, 2))
        return false;
    int hour = two(s), minute = two(s + 3), second = two(s + 6), offset;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    size_t at = 8;
    if (s[at] == '.') {
        size_t fraction = ++at;
        while (at < len && digits(s + at, 1))
            at++;
        if (at == fraction)
            return false;
    }
    if (!time_offset(s + at, len - at, &offset))
        return false;
    return second < 60 || (hour * 60 + minute - offset + 2 * 1440) % 1440 == 1439;
}

static bool format_date_time(const char *s, size_t len)
{
    return len > 11 && format_date(s, 10) && (s[10] == 'T' || s[10] == 't') &&
           format_time(s + 11, len - 11);
}

/* One or more "digits unit" with the units from `units` in their order, none left out between
 * two. Returns the bytes taken. */
static size_t duration_units(const char *s, size_t len, const char *units)
{
    size_t taken = 0;
    const char *unit = NULL;
    while (taken < len && digits(s + taken, 1)) {
        size_t at = taken;
        while (at < len && digits(s + at, 1))
            at++;
        const char *found = at < len ? memchr(units, s[at], strlen(units)) : NULL;
        if (found == NULL || (unit != NULL && found != unit + 1))
            break;
        unit = found;
        taken = at + 1;
    }
    return taken;
}

/* RFC 3339 appendix A. */
static bool format_duration(const char *s, size_t len)
{
    if (len < 3 || *s != 'P')
        return false;
    if (duration_units(s + 1, len - 1, "W") == len - 1)
        return true;
    size_t date = duration_units(s + 1, len - 1, "YMD"), at = 1 + date;
    if (at == len)
        return date > 0;
    if (s[at] != 'T')
        return false;
    size_t time = duration_units(s + at + 1, len - at - 1, "HMS");
    return time > 0 && at + 1 + time == len;
}

static bool format_uuid(const char *s, size_t len)
{
    if (len != 36)
        return false;
    for (size_t i = 0; i < len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = digits(s + i, 1) || ((s[i] | 0x20) >= 'a' && (s[i] | 0x20) <= 'f');
        if (dash ? s[i] != '-' : !hex)
            return false;
    }
    return true;
}

static bool format_regex(const char *s, size_t len)
{
    char why[256];
    return ecma_translate(s, len, NULL, why) == 0;
}

static const struct format formats[] = {
    {"date-time", format_date_time, "a date-time such as \"2026-01-31T23:59:59Z\""},
    {"date", format_date, "a date such as \"2026-01-31\""},
    {"time", format_time, "a time with its offset such as \"23:59:59Z\""},
    {"duration", format_duration, "a duration such as \"P1DT12H\""},
    {"email", format_email, "an e-mail address"},
    {"hostname", format_hostname, "a host name"},
    {"ipv4", format_ipv4, "an IPv4 address such as \"192.0.2.1\""},
    {"ipv6", format_ipv6, "an IPv6 address such as \"2001:db8::1\""},
    {"uri", format_uri, "a URI with its scheme such as \"https://example.org/\""},
    {"uri-reference", format_uri_reference, "a URI or a reference relative to one"},
    {"uuid", format_uuid, "a UUID"},
    {"json-pointer", jx_pointer_valid, "a JSON Pointer such as \"/a/0\""},
    {"regex", format_regex, "a regular expression as ECMA-262 has it"},
};

const struct format *format_find(const char *name)
{
    for (size_t i = 0; i < countof(formats); i++)
        if (strcmp(name, formats[i].name) == 0)
            return &formats[i];
    return NULL;
}
