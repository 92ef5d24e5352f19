/* A growable byte buffer. Not thread-safe. Always NUL-terminated behind `len` once anything was
 * appended, so `data` can be handed to C string functions when the content has no NUL. */
#ifndef C9_BASE_BUF_H
#define C9_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

struct buf {
    char *data; /* NULL while nothing was ever appended */
    size_t len, cap;
};
#define BUF_INIT                                                                                   \
    {                                                                                              \
        0                                                                                          \
    }
#define buf_auto cleanup(buf_free) struct buf

void buf_free(struct buf *b);              /* releases and empties */
void buf_reset(struct buf *b);             /* empties, keeps the memory */
void buf_reserve(struct buf *b, size_t n); /* room for n more bytes */
void buf_append(struct buf *b, const void *data, size_t len);
void buf_append_str(struct buf *b, const char *s);
void buf_append_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_append_u32le(struct buf *b, uint32_t v);
void buf_append_u64le(struct buf *b, uint64_t v);
void buf_consume(struct buf *b, size_t n); /* drops the first n bytes, n <= len */
char *buf_steal(struct buf *b);            /* the data (never NULL), to be freed; empties b */

#endif
