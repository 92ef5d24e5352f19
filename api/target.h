/* The request target: path and query as they came over the wire (RFC 9112 §3.2), decoded by us
 * since libmicrohttpd would cut at %00 and unescape what separates. Pure, any thread. */
#ifndef C9_API_TARGET_H
#define C9_API_TARGET_H

#include <jansson.h>
#include <stddef.h>

#include "base/error.h"

#define TARGET_MAX   8192 /* bytes of path and query */
#define SEGMENTS_MAX 12

struct target {
    const char *segments[SEGMENTS_MAX]; /* decoded, NUL-terminated, inside the text given */
    size_t n_segments;
    char *query; /* behind '?', not decoded, NUL-terminated; NULL: none */
};

/* Splits and decodes text in place (it is written to, and borrowed as long as the result is used).
 * Takes
 * "/path", "http://host/path" and "*" (no segments). Refused with E_INVALID_REQUEST: bad percent
 * escapes, control characters, encoded slashes and backslashes, "." and ".." segments, empty
 * segments, what is no UTF-8; with E_NOT_FOUND: more segments than any route has. */
int target_parse(char *text, struct target *target_r, struct error *err);

/* The query as an object of strings, in the order given; query is written to. Refused: bad escapes,
 * no UTF-8, parameters given twice. New reference or NULL. */
json_t *target_query(char *query, struct error *err);

#endif
