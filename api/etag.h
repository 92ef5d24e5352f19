/* Entity tags in If-Match and If-None-Match (RFC 9110 §13.1). Pure, any thread. */
#ifndef C9_API_ETAG_H
#define C9_API_ETAG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

#define ETAG_MAX 100 /* bytes of a tag without its quotes, with the NUL */

/* True when an If-None-Match value names `tag` (without quotes) or is "*". Weak comparison. */
bool etag_listed(const char *value, size_t len, const char *tag);

/* What an If-Match value asks for: 1 and the tag's text without quotes; 0 for "*" (anything that is
 * there); -1 with E_INVALID_REQUEST when it is not one tag, or E_PRECONDITION_FAILED when it is a
 * weak one (If-Match compares strongly, so that can never hold). */
int etag_if_match(const char *value, size_t len, char tag_r[ETAG_MAX], struct error *err);

#endif
