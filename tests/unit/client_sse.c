/* Server-sent events, in pieces of every size. */
#include "client/sse.h"

#include "tap.h"

struct seen {
    struct buf text;
    int stop_at;
};

static int collect(void *arg, const struct sse_event *event, struct error *err)
{
    struct seen *seen = arg;
    buf_printf(&seen->text, "%s/%s%s/%.*s;", event->type, event->id, event->own_id ? "!" : "",
               (int)event->len, event->data);
    return seen->stop_at > 0 && --seen->stop_at == 0 ? error_set(err, E_CANCELLED, "enough") : 0;
}

static void check(const char *stream, const char *want, const char *name)
{
    size_t len = strlen(stream), bad = 0;
    for (size_t step = 1; step <= len; step++) {
        error_auto err = ERROR_INIT;
        struct sse sse = SSE_INIT;
        struct seen seen = {.text = BUF_INIT};
        buf_append_str(&seen.text, "");
        for (size_t i = 0; i < len; i += step)
            if (sse_feed(&sse, stream + i, len - i < step ? len - i : step, collect, &seen, &err) <
                0)
                bad++;
        if (strcmp(seen.text.data, want) != 0 && bad++ == 0)
            note("pieces of %zu: got %s", step, seen.text.data);
        buf_free(&seen.text);
        sse_free(&sse);
    }
    is_int(bad, 0, "%s", name);
}

static void test_restart(void)
{
    error_auto err = ERROR_INIT;
    struct sse sse = SSE_INIT;
    struct seen seen = {.text = BUF_INIT};
    static const char first[] = "retry: 1500\nid: 7\ndata: a\n\ndata: half",
                      second[] = "data: b\n\n";
    sse_feed(&sse, first, sizeof(first) - 1, collect, &seen, &err);
    is_int(sse.retry_ms, 1500, "retry is kept");
    sse_restart(&sse);
    sse_feed(&sse, second, sizeof(second) - 1, collect, &seen, &err);
    is_str(seen.text.data, "message/7!/a;message/7/b;",
           "a new connection forgets the half, not the id");
    buf_free(&seen.text);
    sse_free(&sse);
}

static void test_bounds(void)
{
    error_auto err = ERROR_INIT;
    struct sse sse = SSE_INIT;
    struct seen seen = {.text = BUF_INIT, .stop_at = 1};
    enum { PIECE = 1 << 20 };
    autofree char *piece = xmalloc(PIECE);
    memset(piece, 'x', PIECE);
    int rc = 0;
    for (int i = 0; i < 64 && rc == 0; i++)
        rc = sse_feed(&sse, piece, PIECE, collect, &seen, &err);
    is_int(rc, -1, "a line without an end is refused");
    sse_restart(&sse);
    memcpy(piece, "data:", 5);
    piece[PIECE - 1] = '\n';
    rc = 0;
    for (int i = 0; i < 64 && rc == 0; i++)
        rc = sse_feed(&sse, piece, PIECE, collect, &seen, &err);
    is_int(rc, -1, "so is an event without an end");
    sse_restart(&sse);
    is_int(sse_feed(&sse, "data: 1\n\ndata: 2\n\n", 18, collect, &seen, &err), -1,
           "the callback's failure stops");
    is_str(seen.text.data, "message//1;", "at once");
    buf_free(&seen.text);
    sse_free(&sse);
}

int main(void)
{
    check("data: a\n\n", "message//a;", "an event");
    check("event: log\nid: 3\ndata: a\ndata:b\n\n", "log/3!/a\nb;", "type, id, two lines of data");
    check("data: a\r\n\r\ndata: b\r\rdata: c\n\n", "message//a;message//b;message//c;",
          "all three kinds of line end");
    check(": heartbeat\n\nevent: x\n\ndata: a\n\n", "message//a;",
          "comments and events without data");
    check("\xEF\xBB\xBF"
          "data: a\n\n",
          "message//a;", "a byte order mark");
    check("id: 1\ndata: a\n\ndata: b\n\n", "message/1!/a;message/1/b;", "an id stays");
    check("data\n\nunknown: x\ndata:  two\n\n", "message//;message// two;",
          "fields without a colon");
    check("data: cut", "", "an event that is not ended is not given");
    test_restart();
    test_bounds();
    return done_testing();
}
