/* api/openapi.json as it was when c9d was built. */
#ifndef C9_API_OPENAPI_TEXT_H
#define C9_API_OPENAPI_TEXT_H

extern const char openapi_text[], openapi_text_end[];

#endif
