#include "service/semver_range.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MAX = 18 };

/* A version of which the end may be missing or 'x'. */
struct partial {
    int64_t number[3];
    int n;                     /* numbers that are there */
    char rest[SEMVER_MAX + 1]; /* "-rc.1" of a whole one, else "" */
};

/* ---- reading ---- */

static const char *skip_blanks(const char *s)
{
    return s + strspn(s, " ");
}

/* Whether the terms end here, and others may follow. */
static bool at_end(const char *s)
{
    return *s == '\0' || *s == ' ' || *s == '|' || strchr("<>=^~", *s) != NULL;
}

static const char *read_number(const char *s, struct partial *p)
{
    size_t n = strspn(s, "0123456789");
    if (n == 0 || n > DIGITS_MAX || (n > 1 && s[0] == '0'))
        return NULL;
    p->number[p->n++] = strtoll(s, NULL, 10);
    return s + n;
}

/* What stands behind it, or NULL. */
static const char *read_partial(const char *s, struct partial *p)
{
    bool any = false;
    *p = (struct partial){.n = 0};
    for (int i = 0; i < 3; i++) {
        if (strchr("xX*", *s) != NULL && *s != '\0') {
            any = true;
            s++;
        } else if (any || (s = read_number(s, p)) == NULL) {
            return NULL; /* "x.1" is nothing */
        }
        if (i == 2 || *s != '.')
            break;
        s++;
    }
    if (p->n == 3 && (*s == '-' || *s == '+')) {
        size_t n = strcspn(s, " |<>=^~");
        if (n > SEMVER_MAX)
            return NULL;
        memcpy(p->rest, s, n);
        p->rest[n] = '\0';
        s += n;
    }
    return at_end(s) ? s : NULL;
}

/* ---- terms ---- */

static bool term_add(struct semver_range *range, int op, const int64_t number[3], const char *rest)
{
    if (range->n == SEMVER_TERMS_MAX)
        return false;
    struct semver_term *term = &range->terms[range->n++];
    term->op = op;
    term->group = range->groups;
    term->derived = false;
    int len =
        snprintf(term->version, sizeof(term->version), "%" PRId64 ".%" PRId64 ".%" PRId64 "%s",
                 number[0], number[1], number[2], rest);
    return len < (int)sizeof(term->version) && semver_valid(term->version);
}

/* Below a version that nobody wrote, and below its pre-releases, of which "-0" is the least. */
static bool below(struct semver_range *range, const int64_t number[3])
{
    bool fits = term_add(range, SEMVER_LT, number, "-0");
    if (fits)
        range->terms[range->n - 1].derived = true;
    return fits;
}

/* Below the version that counts one more at `place`. */
static bool below_next(struct semver_range *range, const struct partial *p, int place)
{
    int64_t number[3] = {0};
    for (int i = 0; i <= place; i++)
        number[i] = p->number[i] + (i == place);
    return below(range, number);
}

static bool at_least(struct semver_range *range, const struct partial *p)
{
    return term_add(range, SEMVER_GE, p->number, p->rest);
}

/* What begins with it. Nothing given: all. */
static bool begins_with(struct semver_range *range, const struct partial *p)
{
    if (p->n == 3)
        return term_add(range, SEMVER_EQ, p->number, p->rest);
    return at_least(range, p) && (p->n == 0 || below_next(range, p, p->n - 1));
}

/* The first number that is not 0 stays as it is; of those that were given, the last. */
static bool caret(struct semver_range *range, const struct partial *p)
{
    int place = 0;
    while (place < p->n - 1 && p->number[place] == 0)
        place++;
    return at_least(range, p) && (p->n == 0 || below_next(range, p, place));
}

static bool tilde(struct semver_range *range, const struct partial *p)
{
    return at_least(range, p) && (p->n == 0 || below_next(range, p, p->n > 1 ? 1 : 0));
}

/* Of a partial version > means above all that begin with it, <= up to all of them. */
static bool compared(struct semver_range *range, const char *op, const struct partial *p)
{
    bool greater = op[0] == '>', equal = op[1] == '=';
    if (p->n == 3)
        return term_add(range,
                        greater ? (equal ? SEMVER_GE : SEMVER_GT) : (equal ? SEMVER_LE : SEMVER_LT),
                        p->number, p->rest);
    if (p->n == 0) /* all, or none */
        return equal ? at_least(range, p) : below(range, p->number);
    if (greater == equal) /* >=1.2: from 1.2.0; <1.2: below it */
        return greater ? at_least(range, p) : below(range, p->number);
    int64_t next[3] = {p->number[0], p->number[1], 0};
    next[p->n - 1]++;
    return greater ? term_add(range, SEMVER_GE, next, "") : below(range, next);
}

static bool hyphen(struct semver_range *range, const struct partial *from, const struct partial *to)
{
    return at_least(range, from) && compared(range, "<=", to);
}

/* ---- parsing ---- */

/* " - TO" behind a version. */
static const char *read_hyphen(const char *s, struct partial *to)
{
    if (s[0] != ' ' || strncmp(skip_blanks(s), "- ", 2) != 0)
        return NULL;
    return read_partial(skip_blanks(skip_blanks(s) + 2), to);
}

static const char *read_term(const char *s, struct semver_range *range)
{
    char op[3] = "";
    struct partial p, to;
    size_t n = s[0] == '<' || s[0] == '>' ? 1 + (s[1] == '=') : strspn(s, "=^~") > 0;
    memcpy(op, s, n);
    s = read_partial(skip_blanks(s + n), &p);
    if (s == NULL)
        return NULL;
    bool fits = op[0] == '^'                   ? caret(range, &p)
                : op[0] == '~'                 ? tilde(range, &p)
                : op[0] == '<' || op[0] == '>' ? compared(range, op, &p)
                                               : false;
    if (op[0] == '\0') {
        const char *behind = read_hyphen(s, &to);
        fits = behind != NULL ? hyphen(range, &p, &to) : begins_with(range, &p);
        s = behind != NULL ? behind : s;
    } else if (op[0] == '=') {
        fits = begins_with(range, &p);
    }
    return fits ? s : NULL;
}

bool semver_range_parse(const char *text, struct semver_range *range_r)
{
    *range_r = (struct semver_range){.n = 0};
    if (strlen(text) > SEMVER_RANGE_MAX)
        return false;
    const char *s = skip_blanks(text);
    for (;;) {
        do {
            s = read_term(s, range_r);
            if (s == NULL)
                return false;
            s = skip_blanks(s);
        } while (*s != '\0' && *s != '|');
        range_r->groups++;
        if (*s == '\0')
            return true;
        if (s[1] != '|')
            return false;
        s = skip_blanks(s + 2);
    }
}

/* ---- matching ---- */

static bool term_holds(const struct semver_term *term, const char *version)
{
    int order = semver_compare(version, term->version);
    switch (term->op) {
    case SEMVER_LT:
        return order < 0;
    case SEMVER_LE:
        return order <= 0;
    case SEMVER_GT:
        return order > 0;
    case SEMVER_GE:
        return order >= 0;
    case SEMVER_EQ:
        return order == 0;
    }
    return false;
}

/* The length of major.minor.patch; what follows is '-', '+' or the end. */
static size_t release_length(const char *version)
{
    return strcspn(version, "-+");
}

static bool has_prerelease(const char *version)
{
    return version[release_length(version)] == '-';
}

static bool names_prerelease_of(const struct semver_term *term, const char *version)
{
    size_t n = release_length(version);
    return !term->derived && has_prerelease(term->version) && release_length(term->version) == n &&
           memcmp(term->version, version, n) == 0;
}

static bool group_has(const struct semver_range *range, unsigned group, const char *version)
{
    bool named = !has_prerelease(version);
    for (size_t i = 0; i < range->n; i++) {
        const struct semver_term *term = &range->terms[i];
        if (term->group != group)
            continue;
        if (!term_holds(term, version))
            return false;
        named |= names_prerelease_of(term, version);
    }
    return named;
}

bool semver_range_has(const struct semver_range *range, const char *version)
{
    for (unsigned group = 0; group < range->groups; group++)
        if (group_has(range, group, version))
            return true;
    return false;
}
