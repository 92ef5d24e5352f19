/* Semantic Versioning 2.0.0 (semver.org). */
#ifndef C9_SERVICE_SEMVER_H
#define C9_SERVICE_SEMVER_H

#include <stdbool.h>

#define SEMVER_MAX 64 /* bytes of a version here, without NUL */

bool semver_valid(const char *s);
/* Precedence (§11): negative, 0 or positive. Build metadata does not count. Both are valid. */
int semver_compare(const char *a, const char *b);
/* The least release above a valid version: 1.2.3 → 1.2.4, 1.3.0-rc.1 → 1.3.0. False when it would
 * not fit. */
bool semver_next(const char *s, char out[SEMVER_MAX + 1]);

#endif
