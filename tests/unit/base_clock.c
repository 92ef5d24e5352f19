/* RFC 3339 and durations. */
#include "base/clock.h"

#include <time.h>

#include "base/cleanup.h"
#include "tap.h"

static void test_http(void)
{
    static const struct {
        const char *time, *http;
    } rows[] = {
        {"1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37 GMT"}, /* RFC 9110 §5.6.7 */
        {"1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"1969-12-31T23:59:59.9Z", "Wed, 31 Dec 1969 23:59:59 GMT"},
        {"2024-02-29T12:00:00Z", "Thu, 29 Feb 2024 12:00:00 GMT"},
        {"9999-12-31T23:59:59Z", "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        int64_t us = 0;
        char text[CLOCK_HTTP_SIZE];
        clock_parse_rfc3339(rows[i].time, strlen(rows[i].time), &us);
        is_str(clock_format_http(us, text), rows[i].http, "%s for HTTP", rows[i].time);
    }
}

static void test_parse(void)
{
    static const struct {
        const char *text, *utc; /* NULL: refused */
    } rows[] = {
        {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"},
        {"2026-11-22T18:00:00.123456Z", "2026-11-22T18:00:00.123456Z"},
        {"2026-11-22t18:00:00z", "2026-11-22T18:00:00.000000Z"},
        {"2026-11-22T18:00:00.1+02:30", "2026-11-22T15:30:00.100000Z"},
        {"2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00.000000Z"},
        {"2026-12-31T23:30:00-01:00", "2027-01-01T00:30:00.000000Z"},
        {"2026-11-22T18:00:00.1234567899999Z", "2026-11-22T18:00:00.123456Z"},
        {"2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000000Z"},
        {"2017-01-01T00:59:60+01:00", "2016-12-31T23:59:59.000000Z"},
        {"2016-12-31T22:59:60Z", NULL},
        {"2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z"},
        {"2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000000Z"},
        {"1900-02-29T00:00:00Z", NULL},
        {"2023-02-29T00:00:00Z", NULL},
        {"2026-04-31T00:00:00Z", NULL},
        {"2026-00-01T00:00:00Z", NULL},
        {"2026-13-01T00:00:00Z", NULL},
        {"2026-01-00T00:00:00Z", NULL},
        {"2026-01-01T24:00:00Z", NULL},
        {"2026-01-01T00:60:00Z", NULL},
        {"2026-01-01T00:00:61Z", NULL},
        {"2026-01-01T00:00:00", NULL},
        {"2026-01-01 00:00:00Z", NULL},
        {"2026-01-01T00:00:00.Z", NULL},
        {"2026-01-01T00:00:00+24:00", NULL},
        {"2026-01-01T00:00:00+0100", NULL},
        {"2026-01-01T00:00:00Zx", NULL},
        {"2026-1-01T00:00:00Z", NULL},
        {"+026-01-01T00:00:00Z", NULL},
        {"", NULL},
        {"2026", NULL},
        {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"},
        {"0001-01-01T00:00:00+00:01", NULL},
        {"0000-12-31T23:59:59Z", NULL},
        {"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"},
        {"9999-12-31T23:59:59-00:01", NULL},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        int64_t us = 12345;
        int rc = clock_parse_rfc3339(rows[i].text, strlen(rows[i].text), &us);
        char text[CLOCK_RFC3339_SIZE];
        if (rows[i].utc == NULL)
            ok(rc == -1 && us == 12345, "'%s' is no time", rows[i].text);
        else
            is_str(rc == 0 ? clock_format_rfc3339(us, text) : "refused", rows[i].utc, "%s",
                   rows[i].text);
    }
    int64_t us;
    is_int(clock_parse_rfc3339("2026-01-01T00:00:00Z", 19, &us), -1, "the length is heeded");
    is_int(clock_parse_rfc3339("2026-01-01T00:00:00\0Z", 21, &us), -1, "a NUL is no end");
}

static void test_against_libc(void)
{
    int wrong = 0;
    for (int64_t day = -719162; day < 2932896; day += 97) {
        time_t t = day * 86400 + (day % 86400 + 86400) % 86400;
        struct tm tm;
        gmtime_r(&t, &tm);
        char want[64], got[CLOCK_RFC3339_SIZE];
        snprintf(want, sizeof(want), "%04d-%02d-%02dT%02d:%02d:%02d.000000Z", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        clock_format_rfc3339(t * CLOCK_SECOND, got);
        int64_t back = 0;
        wrong += strcmp(want, got) != 0;
        wrong += clock_parse_rfc3339(got, strlen(got), &back) < 0 || back != t * CLOCK_SECOND;
    }
    is_int(wrong, 0, "years 1 to 9999 agree with gmtime, both ways");
    char out[CLOCK_RFC3339_SIZE];
    is_str(clock_format_rfc3339(-1, out), "1969-12-31T23:59:59.999999Z", "a moment before 1970");
    is_str(clock_format_rfc3339(INT64_MAX, out), "9999-12-31T23:59:59.999999Z", "held at the end");
    is_str(clock_format_rfc3339(INT64_MIN, out), "0001-01-01T00:00:00.000000Z", "and the start");
}

static void test_duration(void)
{
    static const struct {
        const char *text;
        int64_t us;
    } rows[] = {
        {"0", 0},
        {"30", 30 * CLOCK_SECOND},
        {"250ms", 250000},
        {"30s", 30 * CLOCK_SECOND},
        {"5m", 300 * CLOCK_SECOND},
        {"2h", 7200 * CLOCK_SECOND},
        {"3d", 259200 * CLOCK_SECOND},
        {"36525d", INT64_C(36525) * 86400 * CLOCK_SECOND},
        {"36526d", -1},
        {"99999999999999999999", -1},
        {"9223372036854775807d", -1},
        {"", -1},
        {"s", -1},
        {"-1s", -1},
        {"1.5s", -1},
        {"1 s", -1},
        {"1S", -1},
        {"1w", -1},
        {"1ss", -1},
        {" 1", -1},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        int64_t us = -1;
        int rc = clock_parse_duration(rows[i].text, &us);
        ok(us == rows[i].us && rc == (us < 0 ? -1 : 0), "duration '%s'", rows[i].text);
    }
}

int main(void)
{
    test_http();
    test_parse();
    test_against_libc();
    test_duration();
    int64_t a = clock_monotonic_us(), wall = clock_wall_us();
    ok(clock_monotonic_us() >= a, "the monotonic clock does not go back");
    ok(wall > INT64_C(1700000000) * CLOCK_SECOND, "the wall clock is past 2023");
    return done_testing();
}
