/* "Did you mean": the name that somebody may have meant. libc only; any thread. */
#ifndef C9_BASE_NEAREST_H
#define C9_BASE_NEAREST_H

#include <stddef.h>

/* The candidate nearest to word by edit distance, the first among equals; NULL when none is near
 * (a distance of more than half of the word, or more than 64 bytes). */
const char *nearest_name(const char *word, const char *const *candidates, size_t n);

#endif
