/* Media types: what a body is (Content-Type), what a client takes (Accept). RFC 9110 §8.3, §12.5.1.
 * Pure functions, any thread. */
#ifndef C9_API_MEDIA_H
#define C9_API_MEDIA_H

#include <stdbool.h>
#include <stddef.h>

#define MEDIA_TYPE_MAX 100 /* bytes of "type/subtype" with the NUL */

#define MEDIA_ANY          "*/*" /* of a body: whatever it is, the handler reads it */
#define MEDIA_JSON         "application/json"
#define MEDIA_MERGE_PATCH  "application/merge-patch+json"
#define MEDIA_EVENT_STREAM "text/event-stream"
#define MEDIA_LUA          "text/x-lua"

/* Parses a Content-Type: type_r is "type/subtype" in lower case; *utf8_r false when a charset is
 * named that is not UTF-8 (US-ASCII is part of it). 0, or -1 when it is malformed. */
int media_content_type(const char *value, size_t len, char type_r[MEDIA_TYPE_MAX], bool *utf8_r);

/* The one of `offers` that an Accept header likes best, the first among equals; -1 when it takes
 * none of them or is malformed. An empty value takes the first. At most 32 ranges are looked at. */
int media_negotiate(const char *accept, size_t len, const char *const *offers, size_t n);

#endif
