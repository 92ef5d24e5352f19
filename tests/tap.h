/* TAP for the C tests: `ok`, `is_int`, `is_str`, and a plan at the end. One thread reports. */
#ifndef C9_TESTS_TAP_H
#define C9_TESTS_TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_run, tap_failed;

__attribute__((format(printf, 2, 3), unused)) static bool ok(bool pass, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    printf("%sok %d - ", pass ? "" : "not ", ++tap_run);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    if (!pass)
        tap_failed++;
    fflush(stdout);
    return pass;
}
#define is_int(got, want, ...)                                                                     \
    do {                                                                                           \
        intmax_t got_ = (intmax_t)(got), want_ = (intmax_t)(want);                                 \
        if (!ok(got_ == want_, __VA_ARGS__))                                                       \
            printf("# %s:%d: got %" PRIdMAX ", want %" PRIdMAX "\n", __FILE__, __LINE__, got_,     \
                   want_);                                                                         \
    } while (0)
#define is_str(got, want, ...)                                                                     \
    do {                                                                                           \
        const char *got_ = (got), *want_ = (want);                                                 \
        if (!ok(got_ != NULL && want_ != NULL && strcmp(got_, want_) == 0, __VA_ARGS__))           \
            printf("# %s:%d: got '%s', want '%s'\n", __FILE__, __LINE__, got_ ? got_ : "(null)",   \
                   want_ ? want_ : "(null)");                                                      \
    } while (0)
__attribute__((unused)) static void skip(const char *why, const char *what)
{
    printf("ok %d - %s # SKIP %s\n", ++tap_run, what, why);
}
__attribute__((format(printf, 1, 2), unused)) static void note(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    printf("# ");
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}
/* The pattern of a name for mkdtemp or mkstemp, to be freed; in TMPDIR, which goes after the test
 * (alone.py). */
__attribute__((unused)) static char *tap_temporary(void)
{
    const char *folder = getenv("TMPDIR");
    char *pattern;
    if (asprintf(&pattern, "%s/c9-test-XXXXXX", folder != NULL ? folder : "/tmp") < 0)
        abort();
    return pattern;
}
__attribute__((unused)) static int done_testing(void)
{
    printf("1..%d\n", tap_run);
    return tap_failed != 0;
}

#endif
