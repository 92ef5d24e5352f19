/* Time. All times in c9d are int64 microseconds; wall times count from 1970 UTC. */
#ifndef C9_BASE_CLOCK_H
#define C9_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define CLOCK_SECOND       INT64_C(1000000)
#define CLOCK_RFC3339_SIZE 28 /* "2026-01-31T23:59:59.123456Z" and NUL */

int64_t clock_wall_us(void);      /* CLOCK_REALTIME */
int64_t clock_monotonic_us(void); /* CLOCK_MONOTONIC; for durations and timers */

/* Always UTC with six decimals and "Z". Returns out. */
char *clock_format_rfc3339(int64_t us, char out[CLOCK_RFC3339_SIZE]);
/* RFC 3339 date-time (any offset, any number of decimals, leap second taken as :59).
 * Returns 0, or -1 when s is not one or lies outside years 1 to 9999. */
int clock_parse_rfc3339(const char *s, size_t len, int64_t *us_r);
/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar, and back. */
int64_t clock_days_from_date(int year, int month, int day);
void clock_date_from_days(int64_t days, int *year_r, int *month_r, int *day_r);
int clock_days_in_month(int year, int month);
/* As HTTP has dates (RFC 9110 §5.6.7): "Sat, 31 Jan 2026 23:59:59 GMT". Returns out. */
#define CLOCK_HTTP_SIZE 32
char *clock_format_http(int64_t us, char out[CLOCK_HTTP_SIZE]);
/* "250ms", "30s", "5m", "2h", "3d", or a number of seconds; 0 to 100 years. Returns 0 or -1. */
int clock_parse_duration(const char *s, int64_t *us_r);

#endif
