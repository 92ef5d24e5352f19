/* The Prefer header (RFC 7240): what of it c9d honours. Pure, any thread. */
#ifndef C9_API_PREFER_H
#define C9_API_PREFER_H

#include <stdbool.h>
#include <stddef.h>

#define PREFER_WAIT_MAX 86400 /* seconds; more is taken as this */

struct prefer {
    bool respond_async;
    int wait; /* seconds; -1: not given */
};

/* Preferences that are not known, or malformed, are ignored as the RFC has it; of one given twice
 * the first counts. Call again to add a further header's. */
void prefer_parse(const char *value, size_t len, struct prefer *prefer);

#endif
