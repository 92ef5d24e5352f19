/* The growable byte buffer. No dependency but mem.c: the zygote links it too. */
#include "base/buf.h"

#include <string.h>

enum { BUF_LEAST = 64 };

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf)BUF_INIT;
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    if (b->data != NULL)
        b->data[0] = '\0';
}

/* Grows so that need bytes and the NUL fit; by half again, so that appending is linear. */
static void buf_grow(struct buf *b, size_t n)
{
    size_t need;
    if (__builtin_add_overflow(b->len, n, &need) || __builtin_add_overflow(need, 1, &need))
        need = SIZE_MAX; /* ends in xrealloc's message */
    size_t cap = b->cap + b->cap / 2;
    if (cap < need)
        cap = need;
    if (cap < BUF_LEAST)
        cap = BUF_LEAST;
    b->data = xrealloc(b->data, cap);
    b->cap = cap;
    b->data[b->len] = '\0';
}

void buf_reserve(struct buf *b, size_t n)
{
    if (b->cap - b->len <= n)
        buf_grow(b, n);
}

void buf_append(struct buf *b, const void *data, size_t len)
{
    buf_reserve(b, len);
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_append_str(struct buf *b, const char *s)
{
    buf_append(b, s, strlen(s));
}

void buf_append_char(struct buf *b, char c)
{
    buf_reserve(b, 1);
    b->data[b->len++] = c;
    b->data[b->len] = '\0';
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    buf_reserve(b, BUF_LEAST);
    for (;;) {
        size_t room = b->cap - b->len;
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(b->data + b->len, room, fmt, ap);
        va_end(ap);
        if (n < 0) { /* a wide character that the locale lacks: nothing sensible to append */
            b->data[b->len] = '\0';
            return;
        }
        if ((size_t)n < room) {
            b->len += (size_t)n;
            return;
        }
        buf_reserve(b, (size_t)n);
    }
}

void buf_append_u32le(struct buf *b, uint32_t v)
{
    uint8_t bytes[4];
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(v >> (8 * i));
    buf_append(b, bytes, sizeof(bytes));
}

void buf_append_u64le(struct buf *b, uint64_t v)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(v >> (8 * i));
    buf_append(b, bytes, sizeof(bytes));
}

void buf_consume(struct buf *b, size_t n)
{
    if (n == 0)
        return;
    b->len -= n;
    memmove(b->data, b->data + n, b->len + 1);
}

char *buf_steal(struct buf *b)
{
    if (b->data == NULL)
        return xstrdup("");
    char *data = b->data;
    *b = (struct buf)BUF_INIT;
    return data;
}
