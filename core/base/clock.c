/* Time as int64 microseconds and its text forms. */
#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { DAY_SECONDS = 86400, UNIX_EPOCH_DAY = 719468 /* days from 0000-03-01 to 1970-01-01 */ };

static int64_t clock_read(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * CLOCK_SECOND + t.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
    return clock_read(CLOCK_REALTIME);
}

int64_t clock_monotonic_us(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

/* Proleptic Gregorian calendar. Years are counted from March here, so that the leap day is the
 * last one: the months' lengths then follow (153 * m + 2) / 5, and 400 years have 146,097 days. */
int64_t clock_days_from_date(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year;
    int era = (y >= 0 ? y : y - 399) / 400;
    int of_era = y - era * 400;
    int of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
           UNIX_EPOCH_DAY;
}

void clock_date_from_days(int64_t days, int *year_r, int *month_r, int *day_r)
{
    days += UNIX_EPOCH_DAY;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int of_era = (int)(days - era * 146097);
    int y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * y + y / 4 - y / 100);
    int m = (5 * of_year + 2) / 153;
    *day_r = of_year - (153 * m + 2) / 5 + 1;
    *month_r = m < 10 ? m + 3 : m - 9;
    *year_r = y + (int)era * 400 + (*month_r <= 2);
}

static void put_digits(char *out, int n, int64_t value)
{
    for (int i = n - 1; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
}

#define YEAR_0001_US     (INT64_C(-62135596800) * CLOCK_SECOND)
#define YEAR_9999_END_US (INT64_C(253402300800) * CLOCK_SECOND - 1)

char *clock_format_rfc3339(int64_t us, char out[CLOCK_RFC3339_SIZE])
{
    us = us < YEAR_0001_US ? YEAR_0001_US : us > YEAR_9999_END_US ? YEAR_9999_END_US : us;
    const int64_t day_us = DAY_SECONDS * CLOCK_SECOND;
    int64_t days = us / day_us - (us % day_us < 0);
    int64_t rest = us - days * day_us;
    int64_t seconds = rest / CLOCK_SECOND;
    int year, month, day;
    clock_date_from_days(days, &year, &month, &day);
    memcpy(out, "0000-00-00T00:00:00.000000Z", CLOCK_RFC3339_SIZE);
    put_digits(out, 4, year);
    put_digits(out + 5, 2, month);
    put_digits(out + 8, 2, day);
    put_digits(out + 11, 2, seconds / 3600);
    put_digits(out + 14, 2, seconds / 60 % 60);
    put_digits(out + 17, 2, seconds % 60);
    put_digits(out + 20, 6, rest % CLOCK_SECOND);
    return out;
}

char *clock_format_http(int64_t us, char out[CLOCK_HTTP_SIZE])
{
    static const char day_names[] = "ThuFriSatSunMonTueWed"; /* 1970 began on a Thursday */
    static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(us, text);
    const int64_t day_us = DAY_SECONDS * CLOCK_SECOND;
    int64_t day = us / day_us - (us % day_us < 0);
    int month = (text[5] - '0') * 10 + text[6] - '0';
    snprintf(out, CLOCK_HTTP_SIZE, "%.3s, %.2s %.3s %.4s %.8s GMT",
             day_names + 3 * ((day % 7 + 7) % 7), text + 8, month_names + 3 * (month - 1), text,
             text + 11);
    return out;
}

int clock_days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* A reader over the text; `bad` is sticky. */
struct scan {
    const char *p, *end;
    bool bad;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int scan_number(struct scan *s, int digits, int least, int most)
{
    int value = 0;
    for (int i = 0; i < digits; i++, s->p++) {
        if (s->bad || s->p == s->end || !is_digit(*s->p)) {
            s->bad = true;
            return least;
        }
        value = value * 10 + (*s->p - '0');
    }
    s->bad |= value < least || value > most;
    return value;
}

/* One character out of set; returns it, or 0. */
static char scan_char(struct scan *s, const char *set)
{
    if (s->bad || s->p == s->end || *s->p == '\0' || strchr(set, *s->p) == NULL) {
        s->bad = true;
        return 0;
    }
    return *s->p++;
}

/* ".digits", cut at microseconds. */
static int64_t scan_fraction(struct scan *s)
{
    if (s->bad || s->p == s->end || *s->p != '.')
        return 0;
    s->p++;
    s->bad = s->p == s->end || !is_digit(*s->p);
    int64_t us = 0, unit = CLOCK_SECOND / 10;
    for (; s->p < s->end && is_digit(*s->p); s->p++, unit /= 10)
        us += (*s->p - '0') * unit;
    return us;
}

/* Seconds east of UTC. */
static int scan_offset(struct scan *s)
{
    char sign = scan_char(s, "Zz+-");
    if (sign != '+' && sign != '-')
        return 0;
    int hours = scan_number(s, 2, 0, 23);
    scan_char(s, ":");
    int minutes = scan_number(s, 2, 0, 59);
    return (hours * 3600 + minutes * 60) * (sign == '+' ? 1 : -1);
}

int clock_parse_rfc3339(const char *text, size_t len, int64_t *us_r)
{
    struct scan s = {.p = text, .end = text + len};
    int year = scan_number(&s, 4, 1, 9999);
    scan_char(&s, "-");
    int month = scan_number(&s, 2, 1, 12);
    scan_char(&s, "-");
    int day = scan_number(&s, 2, 1, 31);
    scan_char(&s, "Tt");
    int hour = scan_number(&s, 2, 0, 23);
    scan_char(&s, ":");
    int minute = scan_number(&s, 2, 0, 59);
    scan_char(&s, ":");
    int second = scan_number(&s, 2, 0, 60);
    int64_t fraction = scan_fraction(&s);
    int offset = scan_offset(&s);
    if (s.bad || s.p != s.end || day > clock_days_in_month(year, month))
        return -1;
    bool leap = second == 60;
    int64_t at = clock_days_from_date(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 +
                 (leap ? 59 : second) - offset;
    /* Leap seconds are put in at the end of a UTC day only. */
    if (leap && ((at % DAY_SECONDS) + DAY_SECONDS) % DAY_SECONDS != DAY_SECONDS - 1)
        return -1;
    int64_t us = at * CLOCK_SECOND + fraction;
    if (us < YEAR_0001_US || us > YEAR_9999_END_US)
        return -1;
    *us_r = us;
    return 0;
}

static const struct {
    const char *name;
    int64_t us;
} duration_units[] = {
    {"", CLOCK_SECOND},       {"ms", CLOCK_SECOND / 1000}, {"s", CLOCK_SECOND},
    {"m", 60 * CLOCK_SECOND}, {"h", 3600 * CLOCK_SECOND},  {"d", DAY_SECONDS *CLOCK_SECOND},
};

#define DURATION_MOST (INT64_C(100) * 36525 / 100 * DAY_SECONDS * CLOCK_SECOND)

int clock_parse_duration(const char *s, int64_t *us_r)
{
    int64_t number = 0;
    const char *p = s;
    for (; is_digit(*p); p++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, *p - '0', &number))
            return -1;
    if (p == s)
        return -1;
    for (size_t i = 0; i < sizeof(duration_units) / sizeof(duration_units[0]); i++) {
        int64_t us;
        if (strcmp(p, duration_units[i].name) != 0)
            continue;
        if (__builtin_mul_overflow(number, duration_units[i].us, &us) || us > DURATION_MOST)
            return -1;
        *us_r = us;
        return 0;
    }
    return -1;
}
