/* Outbound HTTP on a loop, against a server of our own: what comes back, what is refused before it
 * is sent, what of a reply is too much, and what is left when somebody loses interest. */
#include "supervisor/fetch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <unistd.h>

#include "base/buf.h"
#include "tap.h"

/* ---- the server: one connection at a time, the path says the answer -------------------------- */

enum { MANY_HEADERS = 300, LONG_HEADER = 20000, WIDE_HEADERS = 30, WIDE_HEADER = 3000 };

static int listener;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct buf asked; /* under lock: the last request, whole */

static const struct {
    const char *path, *answer;
} answers[] = {
    {"/plain", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-One: a\r\nX-Two:  b \r\n\r\nhello"},
    {"/empty", "HTTP/1.1 204 No Content\r\n\r\n"},
    {"/early", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 Created\r\n"
               "Content-Length: 2\r\n\r\nok"},
    {"/moved", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"},
    {"/short", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\nConnection: close\r\n\r\nhalf"},
    {"/garbage", "this is no HTTP\r\n\r\n"},
};

static void answer_headers(struct buf *out, int n, int each)
{
    buf_append_str(out, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
    for (int i = 0; i < n; i++) {
        buf_printf(out, "X-%d: ", i);
        for (int k = 0; k < each; k++)
            buf_append_char(out, 'x');
        buf_append_str(out, "\r\n");
    }
    buf_append_str(out, "\r\n");
}

static void answer_make(const char *path, size_t len, struct buf *out)
{
    if (strncmp(path, "/many", len) == 0)
        answer_headers(out, MANY_HEADERS, 1);
    else if (strncmp(path, "/long", len) == 0)
        answer_headers(out, 1, LONG_HEADER);
    else if (strncmp(path, "/wide", len) == 0)
        answer_headers(out, WIDE_HEADERS, WIDE_HEADER);
    for (size_t i = 0; i < countof(answers); i++)
        if (strlen(answers[i].path) == len && strncmp(path, answers[i].path, len) == 0)
            buf_append_str(out, answers[i].answer);
}

/* Head and body; false at the end of the connection. */
static bool request_read(int fd, struct buf *request)
{
    char piece[4096];
    for (;;) {
        buf_append_char(request, '\0');
        request->len--;
        const char *end = strstr(request->data, "\r\n\r\n"),
                   *length = strcasestr(request->data, "content-length: ");
        size_t body = length != NULL ? strtoul(length + 16, NULL, 10) : 0;
        if (end != NULL && request->len >= (size_t)(end + 4 - request->data) + body)
            break;
        ssize_t n = read(fd, piece, sizeof(piece));
        if (n <= 0)
            return false;
        buf_append(request, piece, (size_t)n);
    }
    pthread_mutex_lock(&lock);
    buf_reset(&asked);
    buf_append(&asked, request->data, request->len);
    buf_append_char(&asked, '\0');
    asked.len--;
    pthread_mutex_unlock(&lock);
    return true;
}

static void *serve(void *arg)
{
    (void)arg;
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd))
        for (;;) {
            buf_auto request = BUF_INIT, out = BUF_INIT;
            if (!request_read(fd, &request))
                break;
            const char *path = strchr(request.data, ' ') + 1;
            size_t len = strcspn(path, " ?");
            answer_make(path, len, &out);
            if (out.len == 0) { /* "/silent": until the client has gone */
                char byte;
                while (read(fd, &byte, 1) > 0)
                    continue;
                break;
            }
            if (send(fd, out.data, out.len, MSG_NOSIGNAL) < 0 ||
                strncmp(path, "/short", len) == 0 || strncmp(path, "/garbage", len) == 0)
                break;
        }
    return NULL;
}

static unsigned server_start(pthread_t *thread)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(here);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&here, len) < 0 || listen(listener, 16) < 0 ||
        getsockname(listener, (struct sockaddr *)&here, &len) < 0 ||
        pthread_create(thread, NULL, serve, NULL) != 0)
        abort();
    return ntohs(here.sin_port);
}

/* ---- the client ------------------------------------------------------------------------------ */

static struct loop *loop;
static struct fetcher *fetcher;
static unsigned port;

/* What one fetch told. */
static struct {
    int status, done, refuse_at; /* refuse_at: bytes after which data says stop; -1: never */
    struct buf headers, body;
    enum error_code code;
    char *message;
    bool allow;
    char address[INET6_ADDRSTRLEN];
} told;

static void told_clear(void)
{
    buf_free(&told.headers);
    buf_free(&told.body);
    free(told.message);
    memset(&told, 0, sizeof(told));
    told.allow = true;
    told.refuse_at = -1;
}

static void on_status(void *arg, int status)
{
    (void)arg;
    told.status = status;
}

static void on_header(void *arg, const char *name, const char *value)
{
    (void)arg;
    buf_printf(&told.headers, "%s=%s\n", name, value);
}

static int on_data(void *arg, const char *data, size_t len)
{
    (void)arg;
    buf_append(&told.body, data, len);
    return told.refuse_at >= 0 && told.body.len > (size_t)told.refuse_at;
}

static void on_done(void *arg, struct error *err)
{
    (void)arg;
    told.done++;
    told.code = err != NULL ? err->code : E_NONE;
    told.message = xstrdup(err != NULL ? err->message : "");
    loop_stop(loop);
}

static bool on_address(void *arg, const struct sockaddr *address)
{
    (void)arg;
    inet_ntop(address->sa_family, &((const struct sockaddr_in *)address)->sin_addr, told.address,
              sizeof(told.address));
    return told.allow;
}

static struct fetch_spec spec_of(const char *url)
{
    return (struct fetch_spec){.method = "GET",
                               .url = url,
                               .timeout_us = 60000000,
                               .address_allowed = on_address,
                               .status = on_status,
                               .header = on_header,
                               .data = on_data,
                               .done = on_done};
}

/* Until it is done; true when it began. */
static bool fetch_all(const struct fetch_spec *spec, struct error *err)
{
    if (fetch_start(fetcher, spec, err) == NULL)
        return false;
    if (told.done != 0)
        ok(false, "nothing is called before fetch_start returns");
    loop_run(loop);
    return true;
}

static const char *url_of(const char *path)
{
    static char url[256];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", port, path);
    return url;
}

static void get(const char *path)
{
    error_auto err = ERROR_INIT;
    const struct fetch_spec spec = spec_of(url_of(path));
    if (!fetch_all(&spec, &err))
        ok(false, "%s: %s", path, err.message);
}

static const char *text(const struct buf *b)
{
    return b->data != NULL ? b->data : "";
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_replies(void)
{
    told_clear();
    get("/plain");
    ok(told.done == 1 && told.code == E_NONE, "a reply is whole, once");
    is_int(told.status, 200, "with its status");
    is_str(text(&told.body), "hello", "its body");
    ok(strstr(text(&told.headers), "x-one=a\nx-two=b\n") != NULL,
       "its headers, names in lower case, values without the blanks around them");
    is_str(told.address, "127.0.0.1", "the address is asked about before it is connected to");
    told_clear();
    get("/empty");
    ok(told.status == 204 && told.code == E_NONE && told.body.len == 0, "no body is none");
    told_clear();
    get("/early");
    ok(told.status == 201 && strcmp(text(&told.body), "ok") == 0,
       "what comes before the real answer is not taken for it");
    told_clear();
    get("/moved");
    ok(told.status == 302 && strstr(text(&told.headers), "location=http://127.0.0.1:1/") != NULL,
       "a redirect is told, not followed");
}

static void test_request(void)
{
    error_auto err = ERROR_INIT;
    const struct fetch_header headers[] = {{"X-Mine", "a b"}, {"X-Empty", ""}, {"Accept", "b/c"}};
    struct fetch_spec spec = spec_of(url_of("/plain"));
    spec.method = "PATCH";
    spec.headers = headers;
    spec.n_headers = countof(headers);
    spec.body = "one\0two";
    spec.body_len = 7;
    told_clear();
    ok(fetch_all(&spec, &err) && told.code == E_NONE, "a request with a body is made");
    pthread_mutex_lock(&lock);
    ok(strncmp(asked.data, "PATCH /plain HTTP/1.1\r\n", 23) == 0, "with its method");
    ok(strstr(asked.data, "X-Mine: a b\r\n") != NULL, "its headers");
    ok(strstr(asked.data, "X-Empty:\r\n") != NULL, "also one without a value");
    ok(strstr(asked.data, "Accept: b/c\r\n") != NULL && strstr(asked.data, "*/*") == NULL,
       "in the place of those that libcurl would send");
    ok(strstr(asked.data, "Expect:") == NULL, "and it waits for no 100 Continue");
    ok(asked.len > 7 && memcmp(asked.data + asked.len - 7, "one\0two", 7) == 0,
       "the body is bytes, NUL among them");
    pthread_mutex_unlock(&lock);
}

static void refused_before(const char *url, const char *method, const char *name, const char *value,
                           const char *what)
{
    error_auto err = ERROR_INIT;
    const struct fetch_header header = {name, value};
    struct fetch_spec spec = spec_of(url);
    spec.method = method;
    spec.headers = &header;
    spec.n_headers = 1;
    told_clear();
    bool began = fetch_all(&spec, &err);
    ok(!began && err.code == E_HTTP_FAILED && told.done == 0, "%s is refused", what);
}

static void test_injection(void)
{
    const char *url = url_of("/plain");
    refused_before(url, "GET", "X-A", "b\r\nX-C: d", "a header's value with a line end");
    refused_before(url, "GET", "X-A", "b\nX-C: d", "with half a line end");
    refused_before(url, "GET", "X-A\r\nX-C", "d", "a header's name with a line end");
    refused_before(url, "GET", "X A", "d", "a name with a blank");
    refused_before(url, "GET", "X-A:", "d", "a name with a colon");
    refused_before(url, "GET", "X-A;", "d", "a name with a semicolon");
    refused_before(url, "GET", "", "d", "a header without a name");
    refused_before(url, "GET / HTTP/1.1\r\nX: y\r\n", "X-A", "d", "a method with a line end");
    refused_before("http://127.0.0.1/\r\nX: y", "GET", "X-A", "d", "a URL with a line end");
    refused_before("http://127.0.0.1/\x7f", "GET", "X-A", "d", "a URL with a control character");
}

static void fails_with(const char *path, const char *says, const char *what)
{
    told_clear();
    get(path);
    ok(told.done == 1 && told.code == E_HTTP_FAILED && strstr(told.message, says) != NULL,
       "%s fails and says so", what);
    if (told.code != E_HTTP_FAILED || strstr(told.message, says) == NULL)
        note("%d: %s", (int)told.code, told.message);
}

static void test_too_much(void)
{
    static const char bound[] = "more than 256 headers, one of more than 16 KiB, or 64 KiB of them";
    fails_with("/many", bound, "a reply of 300 headers");
    fails_with("/long", bound, "a header of 20,000 bytes");
    fails_with("/wide", bound, "90 KB of headers");
    fails_with("/short", "", "a body that is shorter than announced");
    fails_with("/garbage", "", "what is no HTTP");
    told_clear();
    told.refuse_at = 0;
    get("/plain");
    ok(told.done == 1 && told.code == E_HTTP_FAILED, "who takes no more of a body ends the fetch");
}

static void test_denied(void)
{
    error_auto err = ERROR_INIT;
    told_clear();
    told.allow = false;
    struct fetch_spec spec = spec_of(url_of("/secret"));
    spec.shown_url = "http://shown/";
    struct fetcher *kept = fetcher;
    fetcher = fetcher_new(loop); /* without a connection that is open already */
    ok(fetch_all(&spec, &err) && told.code == E_ADDRESS_DENIED,
       "an address that may not be reached is not");
    ok(strstr(told.message, "http://shown/") != NULL && strstr(told.message, "secret") == NULL,
       "the error shows the URL that may be shown");
    fetcher_free(fetcher);
    fetcher = kept;
    static const char *const schemes[] = {"file:///etc/passwd", "ftp://127.0.0.1/x",
                                          "gopher://127.0.0.1/x"};
    for (size_t i = 0; i < countof(schemes); i++) {
        told_clear();
        spec = spec_of(schemes[i]);
        ok(fetch_all(&spec, &err) && told.code == E_HTTP_FAILED && told.body.len == 0,
           "%s is not fetched", schemes[i]);
    }
}

static void test_connection(void)
{
    error_auto err = ERROR_INIT;
    struct fetch_spec spec = spec_of("http://127.0.0.1:1/");
    told_clear();
    ok(fetch_all(&spec, &err) && told.code == E_HTTP_FAILED, "nobody listens: it fails");
    spec = spec_of(url_of("/silent"));
    spec.timeout_us = 50000;
    told_clear();
    ok(fetch_all(&spec, &err) && told.code == E_HTTP_FAILED, "a server that is silent: it fails …");
    ok(strstr(told.message, "imed out") != NULL || strstr(told.message, "imeout") != NULL,
       "… when the time is over: %s", told.message);
}

static void stop_fire(struct loop_timer *timer)
{
    (void)timer;
    loop_stop(loop);
}

static void test_cancelled(void)
{
    error_auto err = ERROR_INIT;
    struct loop_timer stop = {.fn = stop_fire};
    const struct fetch_spec spec = spec_of(url_of("/silent"));
    told_clear();
    struct fetch *under_way = fetch_start(fetcher, &spec, &err);
    loop_timer_set(loop, &stop, 20000);
    loop_run(loop);
    fetch_cancel(under_way);
    fetch_cancel(fetch_start(fetcher, &spec, &err));
    loop_timer_set(loop, &stop, 20000);
    loop_run(loop);
    is_int(told.done, 0, "of a fetch that is cancelled nothing is heard, begun or not");
    get("/plain");
    ok(told.done == 1 && told.code == E_NONE, "and others go on");
    fetch_start(fetcher, &spec, &err);
    fetch_start(fetcher, &spec, &err);
    told_clear();
    fetcher_free(fetcher);
    loop_timer_set(loop, &stop, 20000);
    loop_run(loop);
    is_int(told.done, 0, "a fetcher that is freed takes along what is under way");
}

int main(void)
{
    pthread_t server;
    error_auto err = ERROR_INIT;
    port = server_start(&server);
    loop = loop_new(&err);
    fetcher = fetcher_new(loop);
    test_replies();
    test_request();
    test_injection();
    test_too_much();
    test_denied();
    test_connection();
    test_cancelled();
    shutdown(listener, SHUT_RDWR);
    pthread_join(server, NULL);
    close(listener);
    loop_free(loop);
    told_clear();
    buf_free(&asked);
    fetcher_free(NULL);
    return done_testing();
}
