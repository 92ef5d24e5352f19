#include "service/semver.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t digits(const char *s)
{
    return strspn(s, "0123456789");
}

/* A number without leading zeros. Its length, or 0. */
static size_t number(const char *s)
{
    size_t n = digits(s);
    return n > 1 && s[0] == '0' ? 0 : n;
}

/* One identifier of a pre-release or of build metadata. Its length, or 0. */
static size_t identifier(const char *s, bool numbers_are_numbers)
{
    size_t n = strspn(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-");
    if (numbers_are_numbers && n > 1 && s[0] == '0' && digits(s) == n)
        return 0;
    return n;
}

/* Dot-separated identifiers. What follows them, or NULL. */
static const char *identifiers(const char *s, bool numbers_are_numbers)
{
    for (;; s++) {
        size_t n = identifier(s, numbers_are_numbers);
        if (n == 0)
            return NULL;
        s += n;
        if (*s != '.')
            return s;
    }
}

bool semver_valid(const char *s)
{
    if (strlen(s) > SEMVER_MAX)
        return false;
    for (int i = 0; i < 3; i++) {
        size_t n = number(s);
        if (n == 0 || (i < 2 && s[n] != '.'))
            return false;
        s += n + (i < 2);
    }
    if (*s == '-' && (s = identifiers(s + 1, true)) == NULL)
        return false;
    if (*s == '+' && (s = identifiers(s + 1, false)) == NULL)
        return false;
    return *s == '\0';
}

/* Numbers may have any number of digits: the longer is the greater. */
static int compare_numbers(const char *a, size_t a_len, const char *b, size_t b_len)
{
    if (a_len != b_len)
        return a_len < b_len ? -1 : 1;
    return memcmp(a, b, a_len);
}

static int compare_identifiers(const char *a, size_t a_len, const char *b, size_t b_len)
{
    bool a_number = digits(a) >= a_len, b_number = digits(b) >= b_len;
    if (a_number && b_number)
        return compare_numbers(a, a_len, b, b_len);
    if (a_number != b_number)
        return a_number ? -1 : 1;
    size_t least = a_len < b_len ? a_len : b_len;
    int order = memcmp(a, b, least);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

/* What has no pre-release is above what has; more identifiers are above fewer. */
static int compare_prereleases(const char *a, const char *b)
{
    if (*a != '-' || *b != '-')
        return (*a != '-') - (*b != '-');
    for (;;) {
        a++;
        b++;
        size_t a_len = strcspn(a, ".+"), b_len = strcspn(b, ".+");
        int order = compare_identifiers(a, a_len, b, b_len);
        if (order != 0)
            return order;
        a += a_len;
        b += b_len;
        if (*a != '.' || *b != '.')
            return (*a == '.') - (*b == '.');
    }
}

int semver_compare(const char *a, const char *b)
{
    for (int i = 0; i < 3; i++) {
        size_t a_len = digits(a), b_len = digits(b);
        int order = compare_numbers(a, a_len, b, b_len);
        if (order != 0)
            return order;
        a += a_len + (i < 2);
        b += b_len + (i < 2);
    }
    return compare_prereleases(a, b);
}

bool semver_next(const char *s, char out[SEMVER_MAX + 1])
{
    size_t major = digits(s), minor = digits(s + major + 1);
    const char *patch = s + major + 1 + minor + 1;
    size_t n = digits(patch);
    if (n > 18)
        return false;
    int64_t next = strtoll(patch, NULL, 10) + (patch[n] != '-');
    int len = snprintf(out, SEMVER_MAX + 1, "%.*s%" PRId64, (int)(patch - s), s, next);
    return len <= SEMVER_MAX;
}
