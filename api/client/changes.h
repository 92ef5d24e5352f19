/* Changes as text for people: what `agent diff` and `apply` show. One thread. */
#ifndef C9_CLIENT_CHANGES_H
#define C9_CLIENT_CHANGES_H

#include <jansson.h>

#include "base/buf.h"

/* An RFC 6902 patch: a line "  + /path  value" an operation; values are cut. */
void changes_patch(struct buf *out, const json_t *patch);
/* A unified diff, coloured on a terminal. */
void changes_lines(struct buf *out, const char *diff, size_t len);
/* A line "  callers: /path message" for each of an array of SchemaChange. */
void changes_schema(struct buf *out, const char *what, const json_t *changes);

#endif
