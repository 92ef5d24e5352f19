/* Ranges of versions, as package managers write them:
 *
 * - 1.2.3, =1.2.3: this one;
 * - 1.2, 1.x, 1, *: all that begin so;
 * - ^1.2.3: from it, below the next 2.0.0 (of 0.x: below 0.(x+1).0);
 * - ~1.2.3: from it, below 1.3.0;
 * - >=1.2 <2: both hold;
 * - ^1 || ^3: one of them holds;
 * - 1.2 - 1.4: from, up to and with all that begin with 1.4.
 *
 * A pre-release is only in a range that names a pre-release of the same major.minor.patch. Numbers
 * have at most 18 digits. Pure functions; any thread. */
#ifndef C9_SERVICE_SEMVER_RANGE_H
#define C9_SERVICE_SEMVER_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/semver.h"

#define SEMVER_RANGE_MAX 128 /* bytes of a range, without NUL */
#define SEMVER_TERMS_MAX 32  /* comparisons in all */

struct semver_term {
    enum { SEMVER_LT, SEMVER_LE, SEMVER_GT, SEMVER_GE, SEMVER_EQ } op;
    char version[SEMVER_MAX + 1];
    unsigned group; /* terms of one group hold together, one group is enough */
    bool derived;   /* the end of what was written, which names no pre-release */
};
struct semver_range {
    struct semver_term terms[SEMVER_TERMS_MAX];
    size_t n;
    unsigned groups;
};

/* False when it is no range. */
bool semver_range_parse(const char *text, struct semver_range *range_r);
/* Whether a valid version is in it. */
bool semver_range_has(const struct semver_range *range, const char *version);

#endif
