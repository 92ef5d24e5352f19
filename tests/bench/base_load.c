/* A load generator: one thread, keep-alive connections, each with one request at a time.
 *
 *     base_load HOST PORT CONNECTIONS SECONDS REQUESTS FILE
 *
 * FILE holds one whole HTTP request, sent again and again, until SECONDS are over or REQUESTS were
 * answered (0: no such limit). Prints one line of JSON: how many, how long it took, how many were
 * not 2xx, latencies in µs. The server must answer with Content-Length. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"

enum { CONNECTIONS_MAX = 1024, SAMPLES_MAX = 1 << 22, EVENTS = 64, PIECE = 65536 };

struct connection {
    int fd;
    struct buf answer;
    size_t sent;
    int64_t since;
    bool busy;
};

static struct connection connections[CONNECTIONS_MAX];
static struct buf request;
static int epoll;
static int64_t *samples, started, until;
static size_t n_samples, n_begun, n_failed, wanted, n_busy;

static void die(const char *what)
{
    fprintf(stderr, "base_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void request_load(const char *path)
{
    autofile FILE *f = fopen(path, "re");
    char piece[4096];
    if (f == NULL)
        die(path);
    for (size_t n; (n = fread(piece, 1, sizeof(piece), f)) > 0;)
        buf_append(&request, piece, n);
}

static void connection_open(struct connection *c, const struct sockaddr_in *address)
{
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) < 0)
        die("epoll_ctl");
}

/* A request is small against a socket's buffer, and that is empty: it goes at once. */
static void connection_ask(struct connection *c)
{
    c->since = clock_monotonic_us();
    if (c->since >= until || (wanted != 0 && n_begun == wanted))
        return;
    if (send(c->fd, request.data, request.len, MSG_NOSIGNAL) != (ssize_t)request.len)
        die("send");
    c->busy = true;
    n_begun++;
    n_busy++;
}

/* Bytes of the whole answer, 0 while the head is not complete. */
static size_t answer_size(const struct buf *answer)
{
    static const char name[] = "content-length:";
    const char *end = strstr(answer->data, "\r\n\r\n");
    if (end == NULL)
        return 0;
    for (const char *line = answer->data; line < end; line = strstr(line, "\r\n") + 2)
        if (strncasecmp(line, name, sizeof(name) - 1) == 0)
            return (size_t)(end + 4 - answer->data) + strtoul(line + sizeof(name) - 1, NULL, 10);
    errno = EPROTO;
    die("an answer without Content-Length");
    return 0;
}

static void connection_answered(struct connection *c)
{
    bool good = strncmp(c->answer.data, "HTTP/1.1 2", 10) == 0;
    if (!good && n_failed++ == 0)
        fprintf(stderr, "base_load: %.600s\n", c->answer.data);
    if (n_samples < SAMPLES_MAX)
        samples[n_samples++] = clock_monotonic_us() - c->since;
    buf_reset(&c->answer);
    c->busy = false;
    n_busy--;
    connection_ask(c);
}

static void connection_read(struct connection *c)
{
    static char piece[PIECE];
    ssize_t n = recv(c->fd, piece, sizeof(piece), 0);
    if (n <= 0) {
        errno = n == 0 ? ECONNRESET : errno;
        die("recv");
    }
    buf_append(&c->answer, piece, (size_t)n);
    size_t size = answer_size(&c->answer);
    if (size != 0 && c->answer.len >= size)
        connection_answered(c);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print(void)
{
    double seconds = (double)(clock_monotonic_us() - started) / 1e6;
    if (n_samples == 0) {
        errno = ETIMEDOUT;
        die("nothing was answered");
    }
    qsort(samples, n_samples, sizeof(*samples), by_value);
    printf("{\"requests\": %zu, \"seconds\": %.6f, \"failed\": %zu, \"p50_us\": %ld, \"p99_us\": "
           "%ld}\n",
           n_samples, seconds, n_failed, (long)samples[n_samples / 2],
           (long)samples[n_samples * 99 / 100]);
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: base_load HOST PORT CONNECTIONS SECONDS REQUESTS FILE\n");
        return 2;
    }
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(argv[2]))};
    size_t n = strtoul(argv[3], NULL, 10);
    if (inet_pton(AF_INET, argv[1], &address.sin_addr) != 1 || n < 1 || n > CONNECTIONS_MAX)
        return 2;
    wanted = strtoul(argv[5], NULL, 10);
    request_load(argv[6]);
    samples = xcalloc(SAMPLES_MAX, sizeof(*samples));
    epoll = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < n; i++)
        connection_open(&connections[i], &address);
    started = clock_monotonic_us();
    until = started + (int64_t)(strtod(argv[4], NULL) * 1e6);
    for (size_t i = 0; i < n; i++)
        connection_ask(&connections[i]);
    while (n_busy > 0) {
        struct epoll_event events[EVENTS];
        int got = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < got; i++)
            connection_read(events[i].data.ptr);
    }
    print();
    return n_failed != 0;
}
