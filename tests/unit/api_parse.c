/* What comes in headers and request lines: media types, Prefer, entity tags, targets; and SSE
 * frames. */
#include "api/etag.h"
#include "api/forwarded.h"
#include "api/media.h"
#include "api/prefer.h"
#include "api/sse.h"
#include "api/target.h"
#include "base/json.h"

#include "tap.h"

static void test_forwarded(void)
{
    static const struct {
        const char *trusted, *peer, *values[3], *address;
    } rows[] = {
        {"", "127.0.0.1", {"192.0.2.1"}, "127.0.0.1"},
        {"10.0.0.0/8", "127.0.0.1", {"192.0.2.1"}, "127.0.0.1"},
        {"127.0.0.1", "127.0.0.1", {"192.0.2.1"}, "192.0.2.1"},
        {"127.0.0.1", "127.0.0.1", {"203.0.113.9, 192.0.2.1"}, "192.0.2.1"},
        {"127.0.0.1 192.0.2.0/24", "127.0.0.1", {"203.0.113.9, 192.0.2.1"}, "203.0.113.9"},
        {"127.0.0.1 192.0.2.0/24", "127.0.0.1", {"203.0.113.9", "192.0.2.1"}, "203.0.113.9"},
        {"127.0.0.1 192.0.2.0/24", "127.0.0.1", {"192.0.2.9"}, "192.0.2.9"},
        {"192.0.2.0/31 127.0.0.0/9", "127.0.0.1", {"203.0.113.9,192.0.2.2"}, "192.0.2.2"},
        {"unix", "unix", {"for=\"[2001:db8::1]:4711\";proto=https"}, "2001:db8::1"},
        {"unix", "unix", {"proto=https; for=192.0.2.60:80"}, "192.0.2.60"},
        {"unix", "unix", {"for=unknown"}, "unix"},
        {"unix", "unix", {"for=_hidden, for=192.0.2.7"}, "192.0.2.7"},
        {"unix", "unix", {""}, "unix"},
        {"unix", "unix", {",,,"}, "unix"},
        {"::1 fd00::/8", "::1", {"192.0.2.1, fd12::7"}, "192.0.2.1"},
        {"10.0.0.1", "::ffff:10.0.0.1", {"192.0.2.1"}, "192.0.2.1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        error_auto err = ERROR_INIT;
        struct forwarded *f = NULL;
        char address[64];
        size_t n = 0;
        while (n < 3 && rows[i].values[n] != NULL)
            n++;
        snprintf(address, sizeof(address), "%s", rows[i].peer);
        is_int(forwarded_new(rows[i].trusted, &f, &err), 0, "'%s' is read", rows[i].trusted);
        forwarded_apply(f, rows[i].values, n, address, sizeof(address));
        is_str(address, rows[i].address, "from %s with %s", rows[i].peer, rows[i].values[0]);
        forwarded_free(f);
    }
    static const char *const bad[] = {"localhost",   "10.0.0.0/33", "10.0.0.0/",
                                      "10.0.0.0/8x", "::/129",      "/8"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        error_auto err = ERROR_INIT;
        struct forwarded *f = NULL;
        ok(forwarded_new(bad[i], &f, &err) < 0 && err.code == E_CONFIG_INVALID, "'%s' is none",
           bad[i]);
    }
}

static void test_content_type(void)
{
    static const struct {
        const char *value, *type; /* NULL: malformed */
        bool utf8;
    } rows[] = {
        {"application/json", "application/json", true},
        {" Application/JSON ; Charset=UTF-8 ", "application/json", true},
        {"text/x-lua;charset=\"utf-8\"", "text/x-lua", true},
        {"text/x-lua; charset=latin1", "text/x-lua", false},
        {"application/merge-patch+json; a=b; c=\"d\\\"e\"", "application/merge-patch+json", true},
        {"application", NULL, true},
        {"application/", NULL, true},
        {"/json", NULL, true},
        {"application/json; charset", NULL, true},
        {"application/json; charset=\"utf-8", NULL, true},
        {"application/json, text/plain", NULL, true},
        {"", NULL, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char type[MEDIA_TYPE_MAX];
        bool utf8;
        int result = media_content_type(rows[i].value, strlen(rows[i].value), type, &utf8);
        if (rows[i].type == NULL)
            ok(result < 0, "Content-Type '%s' is malformed", rows[i].value);
        else
            ok(result == 0 && strcmp(type, rows[i].type) == 0 && utf8 == rows[i].utf8,
               "Content-Type '%s' is %s", rows[i].value, rows[i].type);
    }
}

static void test_negotiate(void)
{
    static const char *const offers[] = {"application/json", "text/event-stream"};
    static const struct {
        const char *accept;
        int chosen;
    } rows[] = {
        {"", 0},
        {"*/*", 0},
        {"text/event-stream", 1},
        {"text/*", 1},
        {"text/event-stream, */*;q=0.1", 1},
        {"application/json;q=0.5, text/event-stream;q=0.4", 0},
        {"application/json;q=0.4, text/event-stream;q=0.5", 1},
        {"*/*, application/json;q=0", 1},
        {"text/html", -1},
        {"application/json;q=0", -1},
        {"application/json;q=1.5", -1},
        {"application/json;q=", -1},
        {"a b", -1},
        {", ,application/json", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        is_int(media_negotiate(rows[i].accept, strlen(rows[i].accept), offers, 2), rows[i].chosen,
               "Accept '%s'", rows[i].accept);
}

static void test_prefer(void)
{
    static const struct {
        const char *value;
        bool async;
        int wait;
    } rows[] = {
        {"respond-async", true, -1},
        {"Respond-Async, wait=10", true, 10},
        {"wait = \"5\" ; x", false, 5},
        {"wait=5, wait=7", false, 5},
        {"wait=-1", false, -1},
        {"wait=", false, -1},
        {"wait=99999999999", false, PREFER_WAIT_MAX},
        {"x=\"a, respond-async\"", false, -1},
        {"x=\"\\\", respond-async", false, -1},
        {"respond-asynchronously", false, -1},
        {"", false, -1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct prefer prefer = {.wait = -1};
        prefer_parse(rows[i].value, strlen(rows[i].value), &prefer);
        ok(prefer.respond_async == rows[i].async && prefer.wait == rows[i].wait, "Prefer '%s'",
           rows[i].value);
    }
}

static bool listed(const char *value)
{
    return etag_listed(value, strlen(value), "abc");
}

static void test_etags(void)
{
    char tag[ETAG_MAX];
    error_auto err = ERROR_INIT;
    ok(listed("\"abc\"") && listed("W/\"abc\"") && listed("\"x\" , \"abc\"") && listed("*"),
       "If-None-Match finds a tag");
    ok(!listed("\"abcd\"") && !listed("abc") && !listed("\"x\" \"abc\"") && !listed("") &&
           !listed("*, \"x\"") && !listed("\"abc"),
       "and nothing else");
    is_int(etag_if_match("\"3\"", 3, tag, &err), 1, "If-Match takes one tag");
    is_str(tag, "3", "without its quotes");
    is_int(etag_if_match(" * ", 3, tag, &err), 0, "or anything");
    is_int(etag_if_match("W/\"3\"", 5, tag, &err), -1, "but no weak one");
    is_int(err.code, E_PRECONDITION_FAILED, "which never matches");
    is_int(etag_if_match("\"3\", \"4\"", 8, tag, &err), -1, "nor two");
    is_int(etag_if_match("3", 1, tag, &err), -1, "nor what is none");
    is_int(err.code, E_INVALID_REQUEST, "which is malformed");
}

static void target_check(const char *given, enum error_code code, size_t n, const char *last)
{
    error_auto err = ERROR_INIT;
    struct target target;
    autofree char *text = xstrdup(given);
    int result = target_parse(text, &target, &err);
    bool right = code == E_NONE ? result == 0 && target.n_segments == n &&
                                      (n == 0 || strcmp(target.segments[n - 1], last) == 0)
                                : result < 0 && err.code == code;
    if (!ok(right, "target %s", given))
        note("%d %s", result, err.message);
}

static void test_targets(void)
{
    target_check("/", E_NONE, 0, NULL);
    target_check("*", E_NONE, 0, NULL);
    target_check("/v1/agents", E_NONE, 2, "agents");
    target_check("/v1/a%20b?x=/y", E_NONE, 2, "a b");
    target_check("http://h:1/v1/x", E_NONE, 2, "x");
    target_check("/%C3%BC", E_NONE, 1, "ü");
    target_check("/a%00b", E_INVALID_REQUEST, 0, NULL);
    target_check("/a%2fb", E_INVALID_REQUEST, 0, NULL);
    target_check("/a%5cb", E_INVALID_REQUEST, 0, NULL);
    target_check("/a\\b", E_INVALID_REQUEST, 0, NULL);
    target_check("/a/../b", E_INVALID_REQUEST, 0, NULL);
    target_check("/a/%2e%2E/b", E_INVALID_REQUEST, 0, NULL);
    target_check("/a/./b", E_INVALID_REQUEST, 0, NULL);
    target_check("/a//b", E_INVALID_REQUEST, 0, NULL);
    target_check("/a/", E_INVALID_REQUEST, 0, NULL);
    target_check("/%", E_INVALID_REQUEST, 0, NULL);
    target_check("/%4", E_INVALID_REQUEST, 0, NULL);
    target_check("/%ff", E_INVALID_REQUEST, 0, NULL);
    target_check("/%0a", E_INVALID_REQUEST, 0, NULL);
    target_check("a", E_INVALID_REQUEST, 0, NULL);
    target_check("http://h", E_INVALID_REQUEST, 0, NULL);
    target_check("/1/2/3/4/5/6/7/8/9/a/b/c/d", E_NOT_FOUND, 0, NULL);
}

static void query_check(const char *given, const char *want)
{
    error_auto err = ERROR_INIT;
    autofree char *text = xstrdup(given);
    jx_auto *query = target_query(text, &err);
    autofree char *got = query != NULL ? jx_encode(query, NULL) : NULL;
    if (want == NULL)
        ok(query == NULL && err.code == E_INVALID_REQUEST, "query %s is refused", given);
    else
        is_str(got, want, "query %s", given);
}

static void test_queries(void)
{
    query_check("", "{}");
    query_check("&&", "{}");
    query_check("a=1&b=&c", "{\"a\":\"1\",\"b\":\"\",\"c\":\"\"}");
    query_check("a=x+y%2B%26&%62=%C3%BC", "{\"a\":\"x y+&\",\"b\":\"ü\"}");
    query_check("a=b=c", "{\"a\":\"b=c\"}");
    query_check("a=1&%61=2", NULL);
    query_check("a=%", NULL);
    query_check("a=%00", NULL);
    query_check("a=%ff", NULL);
}

static void frame_check(int64_t id, const char *data, const char *want)
{
    buf_auto out = BUF_INIT;
    sse_event(&out, id, "log", data, strlen(data));
    is_str(out.data, want, "an event with %zu bytes of data", strlen(data));
}

static void test_frames(void)
{
    buf_auto out = BUF_INIT;
    frame_check(7, "{}", "id: 7\nevent: log\ndata: {}\n\n");
    frame_check(0, "", "event: log\ndata: \n\n");
    frame_check(1, "a\nid: 9\r\n\r\nb\r",
                "id: 1\nevent: log\ndata: a\ndata: id: 9\ndata: \ndata: b\ndata: \n\n");
    sse_heartbeat(&out);
    is_str(out.data, ":\n\n", "a heartbeat is a comment");
}

int main(void)
{
    test_forwarded();
    test_content_type();
    test_negotiate();
    test_prefer();
    test_etags();
    test_targets();
    test_queries();
    test_frames();
    return done_testing();
}
