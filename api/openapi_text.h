/* api/openapi.json as it was when c9d was built. */
#ifndef C9_API_OPENAPI_TEXT_H
#define C9_API_OPENAPI_TEXT_H

extern const char openapi_text[], openapi_text_end[];
/* What of it judges requests: api/tools/reduce.c. */
extern const char openapi_rules[], openapi_rules_end[];

#endif
