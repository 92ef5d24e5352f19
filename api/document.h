/* What of openapi.json the daemon needs to judge requests. */
#ifndef C9_API_DOCUMENT_H
#define C9_API_DOCUMENT_H

#include <jansson.h>

#include "base/error.h"

/* The document without what only its readers want: texts and examples, headers and bodies of
 * answers but for their media types, component schemas that no request refers to. Compiled schemas
 * keep their document, so this is memory of the idle daemon. New reference; NULL when it does not
 * decode. */
json_t *document_read(const char *text, size_t len, struct error *err);

#endif
