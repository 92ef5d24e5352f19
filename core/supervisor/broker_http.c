/* http.request: what skills may fetch. Every hop of a redirect is checked like the first: scheme,
 * host by manifest and operator, and the address really connected to. */
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "supervisor/curl.h"
#include "supervisor/engine-private.h"

enum { REDIRECTS_MAX = 5, HEADERS_MAX = 64, URL_MAX = 8192, BODY_DEFAULT = 4 << 20 };
#define TIMEOUT_DEFAULT_US (30 * CLOCK_SECOND)
#define TIMEOUT_MAX_US     (600 * CLOCK_SECOND)

struct request {
    struct effect *effect;
    struct fetch *fetch;
    char *method, *url, *location; /* with references where secrets are */
    char *scheme, *host;           /* of url */
    const char *body;              /* borrowed of the effect's request, or NULL */
    size_t body_len, body_max;
    int64_t deadline; /* monotonic */
    unsigned hops, calls;
    int status;
    json_t *headers; /* of the reply */
    struct buf reply;
    char key[UUID_SIZE]; /* Idempotency-Key, unless the skill gave one */
    bool too_large, cross_origin;
    struct error full; /* no room for more of the reply */
};

static int request_go(struct request *r, struct error *err);

static void request_free(struct request *r)
{
    if (r->fetch != NULL)
        fetch_cancel(r->fetch);
    json_decref(r->headers);
    buf_free(&r->reply);
    error_clear(&r->full);
    free(r->method);
    free(r->scheme);
    free(r->host);
    free(r->url);
    free(r->location);
    free(r);
}

static void request_abort(struct effect *effect)
{
    const struct request *r = effect->state;
    effect_aborted(effect, r->calls);
    request_free(effect->state);
}

static void request_refuse(struct request *r, const struct error *err)
{
    struct effect *effect = r->effect;
    struct effect_cost cost = {.api_calls = r->calls};
    error_auto told = ERROR_INIT;
    error_set(&told, err->code, "%s", err->message);
    told.details = json_incref(err->details);
    secrets_hide_error(effect->run, &told);
    request_free(r);
    effect_refuse(effect, &told, &cost);
}

static json_t *body_json(const struct buf *reply, const char **key_r)
{
    const char *data = reply->data != NULL ? reply->data : "";
    json_t *text = json_stringn(data, reply->len);
    *key_r = "body";
    if (text != NULL)
        return text;
    /* Not UTF-8: base64 carries any bytes. */
    autofree char *encoded = xmalloc((reply->len + 2) / 3 * 4 + 1);
    *key_r = "body_base64";
    return json_string(hash_base64(data, reply->len, encoded));
}

static void request_answer(struct request *r)
{
    struct effect *effect = r->effect;
    struct effect_cost cost = {.api_calls = r->calls};
    const char *key;
    secrets_hide(effect->run, &r->reply);
    json_t *body = body_json(&r->reply, &key);
    json_t *answer = json_pack("{s:i, s:O, s:s, s:o}", "status", r->status, "headers", r->headers,
                               "url", r->url, key, body);
    request_free(r);
    effect_answer(effect, answer, &cost);
}

/* ---- one hop --------------------------------------------------------------------------------- */

static bool address_allowed(void *arg, const struct sockaddr *address)
{
    struct request *r = arg;
    return guard_address_allowed(r->effect->run->engine->guard, address);
}

static void reply_status(void *arg, int status)
{
    struct request *r = arg;
    r->status = status;
    json_object_clear(r->headers);
}

static void reply_header(void *arg, const char *name, const char *given)
{
    struct request *r = arg;
    autofree char *value = secrets_hide_text(r->effect->run, xstrdup(given));
    if (strcmp(name, "location") == 0) {
        free(r->location);
        r->location = xstrdup(value);
    }
    const char *before = jx_str(r->headers, name, NULL);
    autofree char *joined = before != NULL ? xasprintf("%s, %s", before, value) : xstrdup(value);
    json_t *text = json_string(joined);
    if (text !=
        NULL) /* a name or value that is not UTF-8 is left out: set_new frees what it refuses */
        json_object_set_new(r->headers, name, text);
}

static int reply_data(void *arg, const char *data, size_t len)
{
    struct request *r = arg;
    if (r->reply.len + len > r->body_max) {
        r->too_large = true;
        return -1;
    }
    if (effect_hold(r->effect, len, "a reply", &r->full) < 0)
        return -1;
    buf_append(&r->reply, data, len);
    return 0;
}

static bool is_redirect(const struct request *r)
{
    return r->location != NULL && r->hops < REDIRECTS_MAX &&
           (r->status == 301 || r->status == 302 || r->status == 303 || r->status == 307 ||
            r->status == 308);
}

/* Both are URLs as libcurl writes them: with "://". */
static bool same_origin(const char *a, const char *b)
{
    const char *a_end = strchr(strstr(a, "://") + 3, '/'),
               *b_end = strchr(strstr(b, "://") + 3, '/');
    size_t a_len = a_end != NULL ? (size_t)(a_end - a) : strlen(a),
           b_len = b_end != NULL ? (size_t)(b_end - b) : strlen(b);
    return a_len == b_len && strncasecmp(a, b, a_len) == 0;
}

/* RFC 9110 §15.4: 303, and by custom 301 and 302 of a POST, go on as GET without the body. */
static int request_redirect(struct request *r, struct error *err)
{
    const struct curl *curl = curl_load(err);
    if (curl == NULL)
        return -1;
    CURLU *url = curl->url();
    char *next = NULL;
    bool fine = url != NULL && curl->url_set(url, CURLUPART_URL, r->url, 0) == CURLUE_OK &&
                curl->url_set(url, CURLUPART_URL, r->location, CURLU_URLENCODE) == CURLUE_OK &&
                curl->url_set(url, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
                curl->url_get(url, CURLUPART_URL, &next, 0) == CURLUE_OK;
    curl->url_cleanup(url);
    if (!fine)
        return error_set(err, E_HTTP_FAILED, "%s redirects to what is no URL", r->url);
    if (r->status == 303 || (r->status < 303 && strcmp(r->method, "POST") == 0)) {
        if (strcmp(r->method, "HEAD") != 0) {
            free(r->method);
            r->method = xstrdup("GET");
        }
        r->body = NULL;
    }
    r->cross_origin = r->cross_origin || !same_origin(r->url, next);
    free(r->url);
    r->url = xstrdup(next);
    curl->free(next);
    free(r->location);
    r->location = NULL;
    effect_release(r->effect, r->reply.len);
    buf_reset(&r->reply);
    r->hops++;
    return request_go(r, err);
}

static void hop_done(void *arg, struct error *failed)
{
    struct request *r = arg;
    error_auto err = ERROR_INIT;
    r->fetch = NULL;
    if (r->too_large) {
        error_set(&err, E_RESOURCE_EXHAUSTED, "the reply of %s is larger than max_bytes %zu",
                  r->url, r->body_max);
        request_refuse(r, &err);
    } else if (r->full.code != E_NONE) {
        error_move(&err, &r->full);
        request_refuse(r, &err);
    } else if (failed != NULL) {
        request_refuse(r, failed);
    } else if (!is_redirect(r)) {
        request_answer(r);
    } else if (request_redirect(r, &err) < 0) {
        request_refuse(r, &err);
    }
}

/* ---- what is asked --------------------------------------------------------------------------- */

/* Puts the URL as libcurl understands it in the place of the one that was given: what is checked is
 * what is fetched. */
static int url_normalise(struct request *r, const struct curl *curl, CURLU *url, struct error *err)
{
    char *whole = NULL;
    if (curl->url_get(url, CURLUPART_URL, &whole, 0) != CURLUE_OK || strlen(whole) > URL_MAX) {
        curl->free(whole);
        return error_set(err, E_HTTP_FAILED, "'%.200s' is not a URL, or has more than %d bytes",
                         r->url, URL_MAX);
    }
    free(r->url);
    r->url = xstrdup(whole);
    curl->free(whole);
    return 0;
}

static int check_host(struct request *r, struct error *err)
{
    const struct curl *curl = curl_load(err);
    if (curl == NULL)
        return -1;
    struct run *run = r->effect->run;
    CURLU *url = curl->url();
    char *host = NULL, *scheme = NULL, *user = NULL;
    int result = 0;
    if (url == NULL || curl->url_set(url, CURLUPART_URL, r->url, 0) != CURLUE_OK ||
        curl->url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl->url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
        result = error_set(err, E_HTTP_FAILED, "'%.200s' is not a URL", r->url);
    else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        result = error_set(err, E_HTTP_FAILED, "'%.200s': only http and https", r->url);
    else if (curl->url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK)
        result =
            error_set(err, E_HTTP_FAILED,
                      "a URL with a user name in it is not taken: send an authorization header");
    else if (!guard_host_in(json_object_get(run->launch->needs, "http"), host))
        result = error_set(
            err, E_CAPABILITY_DENIED,
            "the skill's manifest does not name the host '%.200s': add it to needs.http", host);
    else if (!guard_host_allowed(run->engine->guard, host))
        result = error_set(err, E_ADDRESS_DENIED,
                           "the operator does not allow '%.200s': [outbound] hosts", host);
    else
        result = url_normalise(r, curl, url, err);
    if (result == 0) {
        free(r->scheme);
        free(r->host);
        r->scheme = xstrdup(scheme);
        r->host = xstrdup(host);
    }
    curl->free(host);
    curl->free(scheme);
    curl->free(user);
    curl->url_cleanup(url);
    return result;
}

/* What goes out of one hop: secrets are filled in here, and nowhere else. */
struct outgoing {
    struct buf url, body;
    struct fetch_header headers[HEADERS_MAX];
    char *values[HEADERS_MAX];
    size_t n_headers;
};

static void outgoing_free(struct outgoing *out)
{
    buf_free(&out->url);
    buf_free(&out->body);
    for (size_t i = 0; i < out->n_headers; i++)
        free(out->values[i]);
}

static int outgoing_fill(struct request *r, struct outgoing *out, struct error *err)
{
    const struct run *run = r->effect->run;
    const struct secret_target target = {r->scheme, r->host};
    if (secrets_fill(run, r->url, strlen(r->url), SECRET_IN_QUERY, &target, &out->url, err) < 0 ||
        (r->body != NULL &&
         secrets_fill(run, r->body, r->body_len, SECRET_IN_BODY, &target, &out->body, err) < 0))
        return -1;
    for (size_t i = 0; i < out->n_headers; i++) {
        const char *value = out->headers[i].value;
        buf_auto filled = BUF_INIT;
        if (secrets_fill(run, value, strlen(value), SECRET_IN_HEADER, &target, &filled, err) < 0)
            return -1;
        out->values[i] = filled.data != NULL ? buf_steal(&filled) : xstrdup("");
        out->headers[i].value = out->values[i];
    }
    return 0;
}

/* RFC 9110 §9.2.2: what is not idempotent by itself, or is by intent alone. */
static bool takes_key(const struct request *r)
{
    return strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0 ||
           strcmp(r->method, "PATCH") == 0;
}

static size_t collect_headers(struct request *r, struct fetch_header *headers)
{
    size_t n = 0;
    bool keyed = !takes_key(r);
    const char *name;
    json_t *value;
    json_object_foreach (json_object_get(r->effect->request, "headers"), name, value) {
        /* What identifies the caller to one origin is not for another. */
        bool secret = strcasecmp(name, "authorization") == 0 || strcasecmp(name, "cookie") == 0;
        if (json_is_string(value) && n < HEADERS_MAX && !(secret && r->cross_origin) &&
            strcasecmp(name, "host") != 0 && strcasecmp(name, "content-length") != 0 &&
            strcasecmp(name, "transfer-encoding") != 0)
            headers[n++] = (struct fetch_header){name, json_string_value(value)};
        keyed = keyed || strcasecmp(name, "idempotency-key") == 0;
    }
    if (!keyed && n < HEADERS_MAX) {
        effect_key(r->effect, 0, r->key);
        headers[n++] = (struct fetch_header){"Idempotency-Key", r->key};
    }
    return n;
}

static int request_go(struct request *r, struct error *err)
{
    struct engine *engine = r->effect->run->engine;
    cleanup(outgoing_free) struct outgoing out = {.n_headers = 0};
    int64_t left = r->deadline - clock_monotonic_us();
    if (left <= 0)
        return error_set(err, E_HTTP_FAILED, "%s: no time left after %u redirects", r->url,
                         r->hops);
    if (check_host(r, err) < 0)
        return -1;
    out.n_headers = collect_headers(r, out.headers);
    if (outgoing_fill(r, &out, err) < 0)
        return -1;
    struct fetch_spec spec = {
        .method = r->method,
        .url = out.url.data,
        .shown_url = r->url,
        .headers = out.headers,
        .n_headers = out.n_headers,
        .body = r->body != NULL ? (out.body.data != NULL ? out.body.data : "") : NULL,
        .body_len = out.body.len,
        .timeout_us = left,
        .address_allowed = address_allowed,
        .status = reply_status,
        .header = reply_header,
        .data = reply_data,
        .done = hop_done,
        .arg = r,
    };
    r->calls++;
    r->fetch = fetch_start(engine->skill_fetcher, &spec, err);
    return r->fetch != NULL ? 0 : -1;
}

static bool method_valid(const char *method)
{
    static const char *const methods[] = {"GET",   "HEAD",   "POST",   "PUT",
                                          "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < countof(methods); i++)
        if (strcmp(method, methods[i]) == 0)
            return true;
    return false;
}

static int64_t bounded(int64_t value, int64_t otherwise, int64_t max)
{
    return value <= 0 ? otherwise : value < max ? value : max;
}

static struct request *request_new(struct effect *effect, struct error *err)
{
    const json_t *q = effect->request;
    const char *url = jx_str(q, "url", ""), *method = jx_str(q, "method", "GET");
    const json_t *body = json_object_get(q, "body");
    if (*url == '\0' || strlen(url) > URL_MAX || !method_valid(method)) {
        error_set(err, E_HTTP_FAILED,
                  "c9.http.request: a url of at most %d bytes and a common method are needed",
                  URL_MAX);
        return NULL;
    }
    struct request *r = xcalloc(1, sizeof(*r));
    r->effect = effect;
    r->method = xstrdup(method);
    r->url = xstrdup(url);
    r->headers = json_object();
    if (json_is_string(body)) {
        r->body = json_string_value(body);
        r->body_len = json_string_length(body);
    }
    int64_t output_max = effect->run->launch->limits.output_max;
    r->body_max =
        (size_t)bounded(jx_int(q, "max_bytes", 0),
                        output_max < BODY_DEFAULT ? output_max : BODY_DEFAULT, output_max);
    r->deadline = clock_monotonic_us() +
                  bounded(jx_int(q, "timeout_us", 0), TIMEOUT_DEFAULT_US, TIMEOUT_MAX_US);
    return r;
}

void broker_http_begin(struct effect *effect)
{
    error_auto err = ERROR_INIT;
    if (effect->run->rehearsal != NULL) {
        json_t *reply = effect_rehearsed(effect, "http");
        if (reply != NULL)
            effect_answer(effect, reply, &(struct effect_cost){.api_calls = 1});
        return;
    }
    struct request *r = request_new(effect, &err);
    if (r == NULL) {
        effect_refuse(effect, &err, NULL);
        return;
    }
    effect->state = r;
    effect->abort = request_abort;
    /* libcurl has a copy of the body. */
    if (effect_hold(effect, r->body_len, "a request's body", &err) < 0 || request_go(r, &err) < 0)
        request_refuse(r, &err);
}
