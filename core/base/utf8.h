/* UTF-8 as in RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. Any thread. */
#ifndef C9_BASE_UTF8_H
#define C9_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes (1 to 4) of the well-formed character at s, or 0 when there is none within len. */
size_t utf8_char_len(const char *s, size_t len);
bool utf8_valid(const char *s, size_t len);
/* The longest prefix of at most max bytes that does not end inside a character. */
size_t utf8_cut(const char *s, size_t len, size_t max);

#endif
