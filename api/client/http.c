#include "client/http.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#include "client/term.h"

enum {
    CONNECT_SECONDS = 10,
    SILENCE_SECONDS = 90, /* heartbeats come more often than that */
    POLL_MS = 500
};

struct http {
    const struct profile *profile;
    CURL *easy;
    CURLM *multi;
    char why[CURL_ERROR_SIZE];
};

struct http *http_new(const struct profile *profile)
{
    struct http *http = xcalloc(1, sizeof(*http));
    curl_global_init(CURL_GLOBAL_DEFAULT);
    http->profile = profile;
    http->easy = curl_easy_init();
    http->multi = curl_multi_init();
    if (http->easy == NULL || http->multi == NULL) {
        term_say("libcurl cannot be set up");
        abort();
    }
    return http;
}

void http_free(struct http *http)
{
    if (http == NULL)
        return;
    curl_easy_cleanup(http->easy);
    curl_multi_cleanup(http->multi);
    free(http);
}

void http_reply_free(struct http_reply *reply)
{
    buf_free(&reply->body);
}

void http_encode(struct buf *out, const char *s)
{
    for (; *s != '\0'; s++) {
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", *s) !=
            NULL)
            buf_append_char(out, *s);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)*s);
    }
}

/* ---- one exchange ---- */

struct exchange {
    struct http *http;
    const struct http_listener *listener;
    struct http_reply *reply;
    struct error *err; /* what a callback said */
    bool failed, streaming;
    struct curl_slist *headers;
};

static void header_keep(char out[HTTP_HEADER_MAX], const char *line, size_t len, const char *name)
{
    size_t n = strlen(name);
    if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
        return;
    line += n + 1;
    len -= n + 1;
    while (len > 0 && (*line == ' ' || *line == '\t')) {
        line++;
        len--;
    }
    while (len > 0 && (unsigned char)line[len - 1] <= ' ')
        len--;
    len = len < HTTP_HEADER_MAX ? len : HTTP_HEADER_MAX - 1;
    memcpy(out, line, len);
    out[len] = '\0';
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
    struct exchange *x = arg;
    struct http_reply *reply = x->reply;
    size_t len = size * n;
    if (len >= 5 && strncmp(line, "HTTP/", 5) == 0)
        reply->type[0] = reply->request_id[0] = reply->retry_after[0] = reply->deprecation[0] =
            reply->sunset[0] = '\0';
    header_keep(reply->type, line, len, "Content-Type");
    header_keep(reply->request_id, line, len, "X-Request-Id");
    header_keep(reply->retry_after, line, len, "Retry-After");
    header_keep(reply->deprecation, line, len, "Deprecation");
    header_keep(reply->sunset, line, len, "Sunset");
    return len;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct exchange *x = arg;
    size_t len = size * n;
    if (x->reply->status == 0) {
        curl_easy_getinfo(x->http->easy, CURLINFO_RESPONSE_CODE, &x->reply->status);
        x->streaming = x->listener != NULL && x->reply->status == 200 &&
                       strncasecmp(x->reply->type, "text/event-stream", 17) == 0;
    }
    if (x->streaming)
        x->failed = x->listener->data(x->listener->arg, data, len, x->err) < 0;
    else if (x->reply->body.len + len > HTTP_REPLY_MAX)
        x->failed = error_set(x->err, E_UNAVAILABLE, "the reply is larger than %d MiB",
                              HTTP_REPLY_MAX >> 20) < 0;
    else
        buf_append(&x->reply->body, data, len);
    return x->failed ? 0 : len;
}

static bool is_loopback(const char *url)
{
    const char *host = strstr(url, "://");
    host = host != NULL ? host + 3 : "";
    return strncmp(host, "127.", 4) == 0 || strncmp(host, "localhost", 9) == 0 ||
           strncmp(host, "[::1]", 5) == 0;
}

/* Where to: a socket's path, or the address. */
static void set_server(struct exchange *x, const char *path)
{
    CURL *easy = x->http->easy;
    const char *url = x->http->profile->url;
    bool local = strncmp(url, "unix:", 5) == 0;
    autofree char *whole = xasprintf("%s%s", local ? "http://localhost" : url, path);
    if (local)
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, url + 5);
    if (local || is_loopback(url))
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_URL, whole);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    if (x->http->profile->ca_file != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, x->http->profile->ca_file);
}

static void add_header(struct exchange *x, const char *line)
{
    struct curl_slist *headers = curl_slist_append(x->headers, line);
    x->headers = headers != NULL ? headers : x->headers;
}

static void set_headers(struct exchange *x, const struct http_request *request)
{
    const char *token = x->http->profile->token;
    autofree char *accept =
        xasprintf("Accept: %s", request->accept != NULL ? request->accept : "application/json");
    autofree char *type = xasprintf("Content-Type: %s", request->type != NULL ? request->type : "");
    add_header(x, accept);
    add_header(x, "Expect:");
    if (request->type != NULL)
        add_header(x, type);
    for (size_t i = 0; i < countof(request->headers); i++)
        if (request->headers[i] != NULL)
            add_header(x, request->headers[i]);
    if (token != NULL) {
        char *line = xasprintf("Authorization: Bearer %s", token);
        add_header(x, line);
        explicit_bzero(line, strlen(line));
        free(line);
    }
    curl_easy_setopt(x->http->easy, CURLOPT_HTTPHEADER, x->headers);
}

static void set_request(struct exchange *x, const struct http_request *request)
{
    CURL *easy = x->http->easy;
    curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, x->http->why);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "c9ctl/" C9_VERSION);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, request->timeout_s);
    if (x->listener != NULL) {
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)SILENCE_SECONDS);
    }
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, x);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    if (request->type != NULL || strcmp(request->method, "POST") == 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body != NULL ? request->body : "");
    }
    set_server(x, request->path);
    set_headers(x, request);
}

/* Runs until it is done. The interruptible way of curl_easy_perform: a signal ends the poll. */
static CURLcode run(struct exchange *x, bool *left_r)
{
    struct http *http = x->http;
    CURLcode code = CURLE_FAILED_INIT;
    int running = 1;
    curl_multi_add_handle(http->multi, http->easy);
    while (running > 0 && !*left_r) {
        if (curl_multi_perform(http->multi, &running) != CURLM_OK)
            break;
        if (running > 0)
            curl_multi_poll(http->multi, NULL, 0, POLL_MS, NULL);
        *left_r = x->listener != NULL && x->listener->idle != NULL &&
                  !x->listener->idle(x->listener->arg);
    }
    int left;
    const CURLMsg *message = curl_multi_info_read(http->multi, &left);
    if (message != NULL && message->msg == CURLMSG_DONE)
        code = message->data.result;
    curl_multi_remove_handle(http->multi, http->easy);
    return code;
}

/* What usually helps, for what went wrong. */
static const struct hint {
    CURLcode code;
    const char *what, *help;
} hints[] = {
    {CURLE_COULDNT_CONNECT, "nobody answers there",
     "Is c9d running? Start it with `systemctl start c9d` or `c9d run`; another address is given "
     "by "
     "--url, C9CTL_URL or `c9ctl login URL`."},
    {CURLE_COULDNT_RESOLVE_HOST, "there is no such host",
     "Check the address: --url, C9CTL_URL, or the profile's url."},
    {CURLE_OPERATION_TIMEDOUT, "no answer in time",
     "Is it the right address, and does a firewall stand between? `c9ctl status` tries again."},
    {CURLE_SSL_CONNECT_ERROR, "TLS could not be set up",
     "Does the server speak https there? With plain HTTP the address begins with http://."},
    {CURLE_PEER_FAILED_VERIFICATION, "its certificate is not trusted",
     "Put the authority's certificate into the profile's ca_file."},
    {CURLE_SSL_CACERT_BADFILE, "the profile's ca_file cannot be read", "Correct its path."},
    {CURLE_UNSUPPORTED_PROTOCOL, "what answers there does not speak HTTP",
     "Check the address, and whether it begins with http:// or https://."},
    {CURLE_WEIRD_SERVER_REPLY, "what answers there does not speak HTTP",
     "Check the address, and whether it begins with http:// or https://."},
    {CURLE_GOT_NOTHING, "it closed the connection without an answer",
     "Does it speak https only? Then the address begins with https://. Else see the server's log."},
};

static int explain(const struct exchange *x, CURLcode code, struct error *err)
{
    const struct profile *p = x->http->profile;
    const char *why = x->http->why[0] != '\0' ? x->http->why : curl_easy_strerror(code);
    const struct hint *hint = NULL;
    for (size_t i = 0; i < countof(hints); i++)
        if (hints[i].code == code)
            hint = &hints[i];
    error_set(err, E_UNAVAILABLE, "cannot reach c9d at %s (from %s): %s%s%s%s", p->url,
              p->url_origin, hint != NULL ? hint->what : why, hint != NULL ? " (" : "",
              hint != NULL ? why : "", hint != NULL ? ")" : "");
    const char *help = hint != NULL ? hint->help : "See the server's log; trying again may help.";
    if (code == CURLE_COULDNT_CONNECT && strncmp(p->url, "unix:", 5) == 0 &&
        access(p->url + 5, F_OK) == 0 && access(p->url + 5, W_OK) < 0)
        help = "You may not use that socket: ask for membership of its group, or use sudo.";
    error_detail(err, "suggestedActions", json_pack("[s]", help));
    return -1;
}

int http_send(struct http *http, const struct http_request *request,
              const struct http_listener *listener, struct http_reply *reply_r, struct error *err)
{
    struct error said = ERROR_INIT;
    struct exchange x = {.http = http, .listener = listener, .reply = reply_r, .err = &said};
    bool left = false;
    http->why[0] = '\0';
    buf_reset(&reply_r->body);
    reply_r->status = 0;
    set_request(&x, request);
    CURLcode code = run(&x, &left);
    curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &reply_r->status);
    long sent = 0;
    curl_easy_getinfo(http->easy, CURLINFO_REQUEST_SIZE, &sent);
    reply_r->sent = sent > 0;
    for (struct curl_slist *h = x.headers; h != NULL; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(x.headers);
    if (left)
        return error_set(err, E_CANCELLED, "left");
    if (x.failed)
        return error_move(err, &said);
    return code == CURLE_OK ? 0 : explain(&x, code, err);
}
