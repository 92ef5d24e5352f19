/* The stream of a hostile server. The first byte says in what pieces the rest comes; the pieces
 * must not matter. */
#include "base/buf.h"
#include "client/sse.h"

#include <stdint.h>
#include <string.h>

static int collect(void *arg, const struct sse_event *event, struct error *err)
{
    struct buf *out = arg;
    (void)err;
    buf_append_str(out, event->type);
    buf_append_str(out, event->id);
    buf_append(out, event->data, event->len);
    buf_append_char(out, '\0');
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t step = (size_t)data[0] + 1;
    const char *s = (const char *)data + 1;
    struct sse whole = SSE_INIT, pieces = SSE_INIT;
    buf_auto a = BUF_INIT, b = BUF_INIT;
    size--;
    buf_append_str(&a, "");
    buf_append_str(&b, "");
    if (sse_feed(&whole, s, size, collect, &a, NULL) < 0)
        abort(); /* nothing this small is refused */
    for (size_t i = 0; i < size; i += step)
        if (sse_feed(&pieces, s + i, size - i < step ? size - i : step, collect, &b, NULL) < 0)
            abort();
    if (a.len != b.len || memcmp(a.data, b.data, a.len) != 0)
        abort();
    sse_free(&whole);
    sse_free(&pieces);
    return 0;
}
