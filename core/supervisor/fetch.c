#include "supervisor/fetch.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "supervisor/curl.h"

enum {
    CONNECT_TIMEOUT_MS = 10000,
    CONNECTIONS_KEPT = 256,
    HEADER_MAX = 16384,       /* bytes of one reply header line */
    HEADERS_MAX = 256,        /* header lines of one reply */
    HEADERS_BYTES_MAX = 65536 /* of all of them together */
};

struct socket_watch {
    struct loop_watch watch;
    struct fetcher *fetcher;
};

struct fetch {
    struct fetcher *fetcher;
    struct fetch *next, **place;
    CURL *easy;
    struct curl_slist *headers;
    struct fetch_spec spec;
    unsigned n_headers;
    size_t header_bytes;
    const char *refused; /* why we stopped it ourselves; NULL: we did not */
    bool denied, once;   /* once: to send it again may be to do it again */
    char message[CURL_ERROR_SIZE];
};

struct fetcher {
    struct loop *loop;
    const struct curl *curl; /* this and multi: from the first fetch on */
    CURLM *multi;
    struct loop_timer timer, reap;
    struct fetch *all;
};

/* ---- libcurl's sockets and timer on our loop ------------------------------------------------- */

/* Callbacks may start or cancel fetches, so completion is handled on a turn of its own. */
static void reap_later(struct fetcher *f)
{
    loop_timer_set(f->loop, &f->reap, 0);
}

static void socket_event(struct loop_watch *watch, uint32_t events)
{
    struct fetcher *f = ((struct socket_watch *)watch->arg)->fetcher;
    int mask = ((events & EPOLLIN) ? CURL_CSELECT_IN : 0) |
               ((events & EPOLLOUT) ? CURL_CSELECT_OUT : 0) |
               ((events & (EPOLLERR | EPOLLHUP)) ? CURL_CSELECT_ERR : 0);
    int running;
    f->curl->multi_socket_action(f->multi, watch->fd, mask, &running);
    reap_later(f);
}

static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket)
{
    (void)easy;
    struct fetcher *f = arg;
    struct socket_watch *w = socket;
    uint32_t events =
        ((what & CURL_POLL_IN) ? EPOLLIN : 0) | ((what & CURL_POLL_OUT) ? EPOLLOUT : 0);
    if (what == CURL_POLL_REMOVE) {
        if (w != NULL) {
            loop_watch_remove(f->loop, &w->watch);
            free(w);
        }
        f->curl->multi_assign(f->multi, fd, NULL);
        return 0;
    }
    if (w != NULL)
        return loop_watch_change(f->loop, &w->watch, events, NULL);
    w = xcalloc(1, sizeof(*w));
    w->fetcher = f;
    w->watch = (struct loop_watch){.fd = fd, .fn = socket_event, .arg = w};
    if (loop_watch_add(f->loop, &w->watch, events, NULL) < 0) {
        free(w);
        return -1;
    }
    f->curl->multi_assign(f->multi, fd, w);
    return 0;
}

static int timer_changed(CURLM *multi, long ms, void *arg)
{
    (void)multi;
    struct fetcher *f = arg;
    if (ms < 0)
        loop_timer_cancel(f->loop, &f->timer);
    else
        loop_timer_set(f->loop, &f->timer, ms * INT64_C(1000));
    return 0;
}

static void timer_fire(struct loop_timer *timer)
{
    struct fetcher *f = timer->arg;
    int running;
    f->curl->multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    reap_later(f);
}

/* ---- one fetch ------------------------------------------------------------------------------- */

static void fetch_free(struct fetch *t)
{
    *t->place = t->next;
    if (t->next != NULL)
        t->next->place = t->place;
    const struct curl *curl = t->fetcher->curl;
    curl->multi_remove_handle(t->fetcher->multi, t->easy);
    curl->easy_cleanup(t->easy);
    curl->slist_free_all(t->headers);
    free(t);
}

/* What the reply's headers must stay within. */
static const char headers_bound[] =
    "the reply has more than 256 headers, one of more than 16 KiB, or 64 KiB of them";

static void fetch_finish(struct fetch *t, CURLcode result)
{
    error_auto err = ERROR_INIT;
    struct fetch_spec spec = t->spec;
    if (result ==
        CURLE_OUT_OF_MEMORY) /* what libcurl makes of a header line beyond its own bound */
        t->refused = headers_bound;
    if (t->denied)
        error_set(&err, E_ADDRESS_DENIED, "the address of %s may not be reached from executions",
                  t->spec.url);
    else if (result != CURLE_OK)
        error_set(&err, E_HTTP_FAILED, "%s: %s", t->spec.url,
                  t->refused != NULL      ? t->refused
                  : t->message[0] != '\0' ? t->message
                                          : t->fetcher->curl->easy_strerror(result));
    char *url = (char *)t->spec.url;
    fetch_free(t);
    free(url);
    spec.done(spec.arg, err.code != E_NONE ? &err : NULL);
}

static void reap_fire(struct loop_timer *timer)
{
    struct fetcher *f = timer->arg;
    int left;
    for (CURLMsg *m; (m = f->curl->multi_info_read(f->multi, &left)) != NULL;) {
        struct fetch *t = NULL;
        CURLcode result = m->data.result;
        f->curl->easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        fetch_finish(t, result);
    }
}

static curl_socket_t socket_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct fetch *t = arg;
    if (purpose != CURLSOCKTYPE_IPCXN || (t->spec.address_allowed != NULL &&
                                          !t->spec.address_allowed(t->spec.arg, &address->addr))) {
        t->denied = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* libcurl sends a request again by itself when a connection that it kept ends without an answer:
 * whoever got it may have acted on it. */
static int before_request(void *arg, char *to, char *from, int to_port, int from_port)
{
    (void)to, (void)from, (void)to_port, (void)from_port;
    struct fetch *t = arg;
    long sent = 0;
    t->fetcher->curl->easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &sent);
    if (!t->once || sent == 0)
        return CURL_PREREQFUNC_OK;
    t->refused = "the connection ended without an answer";
    return CURL_PREREQFUNC_ABORT;
}

static size_t header_line(char *line, size_t size, size_t n, void *arg)
{
    struct fetch *t = arg;
    size_t len = size * n;
    char name[HEADER_MAX];
    if (len >= 5 && strncasecmp(line, "HTTP/", 5) == 0) {
        long status = 0;
        t->fetcher->curl->easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        /* 1xx answers are followed by the real one. */
        if (status >= 200 && t->spec.status != NULL)
            t->spec.status(t->spec.arg, (int)status);
        return len;
    }
    char *colon = memchr(line, ':', len);
    t->header_bytes += len;
    if (len >= sizeof(name) || ++t->n_headers > HEADERS_MAX + 1 || /* and the line that ends them */
        t->header_bytes > HEADERS_BYTES_MAX) {
        t->refused = headers_bound;
        return 0;
    }
    if (colon == NULL || t->spec.header == NULL)
        return len;
    memcpy(name, line, len);
    char *value = name + (colon - line), *end = name + len;
    for (char *p = name; p < value; p++)
        *p = (char)tolower((unsigned char)*p);
    *value++ = '\0';
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (unsigned char)end[-1] <= ' ')
        end--;
    *end = '\0';
    t->spec.header(t->spec.arg, name, value);
    return len;
}

static size_t body_data(char *data, size_t size, size_t n, void *arg)
{
    struct fetch *t = arg;
    size_t len = size * n;
    return t->spec.data(t->spec.arg, data, len) == 0 ? len : 0;
}

/* RFC 9110 §9.2.2 */
static bool is_idempotent(const char *method)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
    for (size_t i = 0; i < countof(methods); i++)
        if (strcmp(method, methods[i]) == 0)
            return true;
    return false;
}

/* No control character gets into a request: a header or URL of a skill's cannot become two. */
static bool text_clean(const char *s)
{
    for (; *s != '\0'; s++)
        if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
            return false;
    return true;
}

static int fetch_headers(struct fetch *t, const struct fetch_spec *spec, struct error *err)
{
    const struct curl *curl = t->fetcher->curl;
    for (size_t i = 0; i < spec->n_headers; i++) {
        const struct fetch_header *h = &spec->headers[i];
        if (!text_clean(h->name) || !text_clean(h->value) || strpbrk(h->name, " \t:;") != NULL ||
            *h->name == '\0')
            return error_set(err, E_HTTP_FAILED,
                             "header '%.64s' has characters that a header cannot have", h->name);
        /* libcurl drops "Name:" and takes "Name;" for an empty value. */
        autofree char *line = h->value[0] != '\0' ? xasprintf("%s: %s", h->name, h->value)
                                                  : xasprintf("%s;", h->name);
        t->headers = curl->slist_append(t->headers, line);
    }
    t->headers = curl->slist_append(t->headers, "Expect:");
    return 0;
}

static void fetch_options(struct fetch *t, const struct fetch_spec *spec)
{
    const struct curl *curl = t->fetcher->curl;
    CURL *c = t->easy;
    curl->easy_setopt(c, CURLOPT_PRIVATE, t);
    curl->easy_setopt(c, CURLOPT_ERRORBUFFER, t->message);
    curl->easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    /* A fetch that is over does not wait for its resolver thread: a name server that is silent
     * would stop the engine with it. The thread ends by itself. */
    curl->easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
    curl->easy_setopt(c, CURLOPT_PROXY, ""); /* nothing from the environment */
    curl->easy_setopt(c, CURLOPT_NETRC, CURL_NETRC_IGNORED);
    curl->easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl->easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L); /* each hop is checked by the caller */
    curl->easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl->easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(spec->timeout_us / 1000 + 1));
    curl->easy_setopt(c, CURLOPT_USERAGENT, "c9d/" C9_VERSION);
    curl->easy_setopt(c, CURLOPT_URL, spec->url);
    curl->easy_setopt(c, CURLOPT_CUSTOMREQUEST, spec->method);
    if (spec->body != NULL) {
        curl->easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)spec->body_len);
        curl->easy_setopt(c, CURLOPT_COPYPOSTFIELDS, spec->body);
    } else if (strcmp(spec->method, "HEAD") == 0) {
        curl->easy_setopt(c, CURLOPT_NOBODY, 1L);
    }
    curl->easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
    curl->easy_setopt(c, CURLOPT_HEADERFUNCTION, header_line);
    curl->easy_setopt(c, CURLOPT_HEADERDATA, t);
    curl->easy_setopt(c, CURLOPT_WRITEFUNCTION, body_data);
    curl->easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl->easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, socket_open);
    curl->easy_setopt(c, CURLOPT_OPENSOCKETDATA, t);
    curl->easy_setopt(c, CURLOPT_PREREQFUNCTION, before_request);
    curl->easy_setopt(c, CURLOPT_PREREQDATA, t);
    t->once = !is_idempotent(spec->method);
}

static int fetcher_open(struct fetcher *f, struct error *err)
{
    if (f->multi != NULL)
        return 0;
    f->curl = curl_load(err);
    if (f->curl == NULL)
        return -1;
    f->multi = f->curl->multi_init();
    if (f->multi == NULL)
        return error_set(err, E_HTTP_FAILED, "libcurl has no memory");
    f->curl->multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, socket_changed);
    f->curl->multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
    f->curl->multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, timer_changed);
    f->curl->multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
    f->curl->multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_KEPT);
    return 0;
}

struct fetch *fetch_start(struct fetcher *f, const struct fetch_spec *spec, struct error *err)
{
    if (!text_clean(spec->url) || !text_clean(spec->method)) {
        error_set(err, E_HTTP_FAILED, "the URL or method has control characters");
        return NULL;
    }
    if (fetcher_open(f, err) < 0)
        return NULL;
    struct fetch *t = xcalloc(1, sizeof(*t));
    t->fetcher = f;
    t->spec = *spec;
    t->easy = f->curl->easy_init();
    if (t->easy == NULL || fetch_headers(t, spec, err) < 0) {
        if (t->easy == NULL)
            error_set(err, E_HTTP_FAILED, "libcurl has no memory");
        f->curl->slist_free_all(t->headers);
        f->curl->easy_cleanup(t->easy);
        free(t);
        return NULL;
    }
    t->spec.url = xstrdup(spec->shown_url != NULL
                              ? spec->shown_url
                              : spec->url); /* for messages; the rest is libcurl's by now */
    t->spec.headers = NULL;
    t->spec.body = NULL;
    fetch_options(t, spec);
    t->next = f->all;
    t->place = &f->all;
    if (t->next != NULL)
        t->next->place = &t->next;
    f->all = t;
    if (f->curl->multi_add_handle(f->multi, t->easy) == CURLM_OK)
        return t;
    error_set(err, E_HTTP_FAILED, "libcurl has no memory");
    fetch_cancel(t);
    return NULL;
}

void fetch_cancel(struct fetch *t)
{
    char *url = (char *)t->spec.url;
    fetch_free(t);
    free(url);
}

struct fetcher *fetcher_new(struct loop *loop)
{
    struct fetcher *f = xcalloc(1, sizeof(*f));
    f->loop = loop;
    f->timer.fn = timer_fire;
    f->timer.arg = f;
    f->reap.fn = reap_fire;
    f->reap.arg = f;
    return f;
}

void fetcher_free(struct fetcher *f)
{
    if (f == NULL)
        return;
    for (struct fetch *t = f->all, *next; t != NULL; t = next) {
        next = t->next;
        fetch_cancel(t);
    }
    if (f->multi != NULL)
        f->curl->multi_cleanup(f->multi); /* may still call socket_changed */
    loop_timer_cancel(f->loop, &f->timer);
    loop_timer_cancel(f->loop, &f->reap);
    free(f);
}
