/* The built-in meta-schemas. */
#ifndef C9_SCHEMA_META_H
#define C9_SCHEMA_META_H

#include <jansson.h>
#include <stddef.h>

#include "schema/schema-private.h"

struct meta_text {
    const char *uri, *text;
};
extern const struct meta_text meta_texts[];
extern const size_t meta_text_count;

/* The built-in document at uri (without fragment), or NULL. Lives as long as the process, is never
 * changed, and its reference count is never touched. Any thread. */
const json_t *meta_document(const char *uri);
/* The compiled meta-schema of a draft, borrowed, as long-lived. Any thread. */
const struct schema *meta_schema(enum schema_draft draft);
/* The draft whose meta-schema has this URI; -1 when there is none. */
int meta_draft(const char *uri);

#endif
