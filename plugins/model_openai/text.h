/* Growing bytes, plain words for messages, and bounded JSON: what every file here needs. */
#ifndef MODEL_OPENAI_TEXT_H
#define MODEL_OPENAI_TEXT_H

#include <c9d/plugin.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Bytes that grow; NUL-terminated behind len once anything was appended. */
struct text {
    char *data;
    size_t len, cap;
};
void text_free(struct text *text);                                 /* releases and empties */
void text_clear(struct text *text);                                /* empties, keeps the memory */
bool text_append(struct text *text, const void *data, size_t len); /* false: no memory */

/* Fills fault and returns C9D_E_FAILED. */
int fault_set(struct c9d_fault *fault, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Makes one line of readable UTF-8 out of any bytes: white space and control characters become one
 * space, markup is dropped when the text starts with '<', what is no UTF-8 becomes '?'. Cut at a
 * character to size - 1 bytes. Returns out. */
char *text_plain(char *out, size_t size, const char *data, size_t len);

/* Deep nesting and swarms of tiny values cost far more memory than their bytes: both are counted
 * before the text is parsed. */
enum { TEXT_DEPTH_MAX = 128, TEXT_REPLY_VALUES_MAX = 100000, TEXT_CHAT_VALUES_MAX = 1000000 };
/* Decodes one JSON text; NULs in strings are let through, so use lengths. New reference; or NULL
 * and why, a clause such as "line 3, column 7: invalid token". */
json_t *text_decode(const char *data, size_t len, size_t values_max, size_t flags, char *why,
                    size_t why_size);

#endif
