/* Streams pull: the engine only says how far the store can be read, and libmicrohttpd asks for
 * bytes when the socket takes some. So catching up and following live are one path, and a slow
 * client costs the memory of one batch. */
#include "api/stream.h"

#include <microhttpd.h>
#include <string.h>

#include "api/api-private.h"
#include "api/follow.h"
#include "api/sse.h"
#include "base/clock.h"
#include "base/log.h"

enum {
    BLOCK_SIZE = 16 * 1024,
    BATCH = 16,            /* events pulled at once */
    LEFT_US = 500 * 1000,  /* how often a client is looked for that its execution ends with */
    POLL_US = 1000 * 1000, /* executions that no engine here tells about */
    RETRY_MS = 2000,       /* what a client is told to wait before it comes back */
};

struct stream {
    struct follow *follow;
    struct buf out;
    size_t sent;  /* of out */
    int64_t last; /* seq of the last event in out */
    int64_t wrote_at, polled_at;
    bool told;  /* that it has ended: its last events are in the store */
    bool ended; /* `end` is in out */
};

static void stream_event(void *arg, int64_t seq, const char *type, const char *data, size_t len)
{
    struct stream *stream = arg;
    sse_event(&stream->out, seq, type, data, len);
    stream->last = seq;
    stream->ended = stream->ended || strcmp(type, "end") == 0;
}

/* Whether the store may have more than was pulled. */
static bool stream_behind(struct stream *stream, int64_t now)
{
    struct follow *follow = stream->follow;
    if (follow_has_left(follow))
        stream->polled_at = 0;
    pthread_mutex_lock(&follow->waiter.lock);
    int64_t news = follow->news;
    bool ended = follow->ended;
    pthread_mutex_unlock(&follow->waiter.lock);
    if (ended && !stream->told) {
        stream->told = true;
        stream->polled_at = 0;
    }
    bool told_of_all = follow->watching && !ended && news > 0;
    if (news > stream->last || told_of_all)
        return news > stream->last;
    if (follow->watching && !ended)
        return stream->polled_at == 0;
    return now - stream->polled_at >= POLL_US;
}

static int stream_pull(struct stream *stream, int64_t now)
{
    struct follow *follow = stream->follow;
    error_auto err = ERROR_INIT;
    int64_t before = stream->last;
    stream->polled_at = now;
    if (execution_events(follow->api->service, follow->id, stream->last, BATCH, stream_event,
                         stream, &err) < 0) {
        log_warn("http.stream", "execution %s: %s", follow->id, err.message);
        return -1;
    }
    if (stream->last > before)
        stream->polled_at = 0; /* there may be more */
    else if (stream->told)
        stream->ended = true; /* the client has had the end already */
    return 0;
}

static ssize_t stream_give(struct stream *stream, char *out, size_t max, int64_t now)
{
    size_t left = stream->out.len - stream->sent, n = left < max ? left : max;
    memcpy(out, stream->out.data + stream->sent, n);
    stream->sent += n;
    stream->wrote_at = now;
    if (stream->sent == stream->out.len) {
        buf_reset(&stream->out);
        stream->sent = 0;
    }
    return (ssize_t)n;
}

static int64_t stream_due(const struct stream *stream, int64_t now)
{
    int64_t due = stream->wrote_at + stream->follow->api->heartbeat;
    bool polls = !stream->follow->watching || stream->told;
    if (stream->follow->cancels && now + LEFT_US < due)
        due = now + LEFT_US;
    return polls && stream->polled_at + POLL_US < due ? stream->polled_at + POLL_US : due;
}

/* libmicrohttpd's content reader. To return 0 without sleeping would be asked again at once, for
 * ever. */
static ssize_t stream_read(void *arg, uint64_t pos, char *out, size_t max)
{
    struct stream *stream = arg;
    (void)pos;
    for (;;) {
        int64_t now = clock_monotonic_us();
        if (stream->out.len > stream->sent)
            return stream_give(stream, out, max, now);
        if (stream->ended)
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (stream_behind(stream, now)) {
            if (stream_pull(stream, now) < 0)
                return MHD_CONTENT_READER_END_WITH_ERROR;
            continue;
        }
        /* Behind what is there: an execution that ended while the server stops is told to its end.
         */
        if (keeper_interrupted(stream->follow->api->keeper))
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (follow_client_left(stream->follow))
            return MHD_CONTENT_READER_END_WITH_ERROR;
        if (now - stream->wrote_at >= stream->follow->api->heartbeat)
            sse_heartbeat(&stream->out);
        else if (waiter_park(&stream->follow->waiter, stream_due(stream, now), true))
            return 0;
    }
}

static void stream_free(void *arg)
{
    struct stream *stream = arg;
    if (!stream->ended)
        follow_abandoned(stream->follow);
    follow_detach(stream->follow);
    follow_unref(stream->follow);
    buf_free(&stream->out);
    free(stream);
}

struct MHD_Response *stream_response(struct follow *follow, int64_t after)
{
    struct stream *stream = xcalloc(1, sizeof(*stream));
    stream->follow = follow;
    stream->last = after;
    buf_printf(&stream->out, "retry: %d\nevent: execution\ndata: {\"executionId\":\"%s\"}\n\n",
               RETRY_MS, follow->id);
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, BLOCK_SIZE, stream_read, stream, stream_free);
    if (response == NULL)
        stream_free(stream);
    return response;
}
