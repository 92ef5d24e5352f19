/* Retry policies and concurrency keys: what is checked, and what follows. */
#include <string.h>

#include "base/json.h"
#include "service/policy.h"
#include "tap.h"

static json_t *js(const char *text)
{
    return json_loads(text, JSON_DECODE_ANY, NULL);
}

static size_t problems(void (*check)(const json_t *, const char *, json_t *), const char *text)
{
    jx_auto *given = js(text);
    jx_auto *found = json_array();
    check(given, "/x", found);
    return json_array_size(found);
}

static void test_checks(void)
{
    is_int((long)problems(policy_check_retry, "{\"attempts\":3,\"backoffMs\":10,\"factor\":1.5,"
                                              "\"maxBackoffMs\":20,\"jitter\":0,\"on\":[\"x\"]}"),
           0, "a whole retry policy is fine");
    is_int((long)problems(policy_check_retry, "{\"attempts\":1.5,\"factor\":0,\"on\":[1],\"x\":1}"),
           4, "each wrong member is said");
    is_int((long)problems(policy_check_retry, "[]"), 1, "it is an object");
    is_int((long)problems(policy_check_concurrency,
                          "{\"limit\":1,\"perKey\":2,\"key\":\"/a~1b/0\",\"policy\":\"reject\"}"),
           0, "a whole concurrency policy is fine");
    is_int((long)problems(policy_check_concurrency, "{\"key\":\"a\",\"policy\":\"x\"}"), 2,
           "a key is a JSON Pointer, a policy one of four");
    is_int((long)problems(policy_check_concurrency, "{\"key\":\"/a~2\"}"), 1,
           "with RFC 6901's escapes only");
}

static void test_pauses(void)
{
    jx_auto *config = js("{\"retry\":{\"attempts\":9,\"backoffMs\":100,\"factor\":3,"
                         "\"maxBackoffMs\":1000,\"jitter\":0.5}}");
    struct launch_retry retry = policy_retry(config);
    is_int(retry.attempts, 9, "as many attempts as it says");
    is_int(policy_pause(&retry, 1, 0.5), 100000, "the first pause");
    is_int(policy_pause(&retry, 3, 0.5), 900000, "grows by the factor");
    is_int(policy_pause(&retry, 4, 0.5), 1000000, "up to the longest");
    is_int(policy_pause(&retry, 100, 0.5), 1000000, "for ever");
    is_int(policy_pause(&retry, 1, 0), 50000, "spread below");
    is_int(policy_pause(&retry, 1, 1), 150000, "and above");
    struct launch_retry none = policy_retry(NULL);
    is_int(none.attempts, 1, "without a policy there is one attempt");
}

static void test_which(void)
{
    jx_auto *config = js("{\"retry\":{\"on\":[\"HttpFailed\",\"mine\"]}}");
    struct launch_retry all = policy_retry(NULL), some = policy_retry(config);
    ok(policy_retries(&all, E_EXECUTION_FAILED, NULL), "most errors are tried again");
    ok(!policy_retries(&all, E_INVALID_INPUT, NULL), "but not what fails the same way");
    ok(policy_retries(&some, E_HTTP_FAILED, NULL), "a code that is named is");
    ok(policy_retries(&some, E_EXECUTION_FAILED, "mine"), "also a skill's own");
    ok(!policy_retries(&some, E_EXECUTION_FAILED, NULL), "others are not");
    ok(!policy_retries(&some, E_CANCELLED, "mine"), "what was cancelled never is");
}

static void key_is(const char *pointer, const char *given, const char *want, const char *what)
{
    jx_auto *input = js("{\"a/b\":[{\"c\":7}],\"s\":\"text\",\"o\":{\"z\":1,\"y\":2},\"n\":null}");
    struct launch_concurrency concurrency = {.key = pointer};
    autofree char *key = NULL;
    error_auto err = ERROR_INIT;
    if (policy_key(&concurrency, given, input, &key, &err) < 0)
        note("%s", err.message);
    is_str(key != NULL ? key : "", want, "%s", what);
}

static void test_keys(void)
{
    key_is("/a~1b/0/c", NULL, "7", "through objects, arrays and escapes");
    key_is("/s", NULL, "text", "a text as it is");
    key_is("/o", NULL, "{\"y\":2,\"z\":1}", "an object as canonical JSON");
    key_is("/n", NULL, "", "null is no key");
    key_is("/a~1b/x", NULL, "", "nor is what is not there");
    key_is("/s", "given", "given", "the request's own goes first");
    key_is(NULL, NULL, "", "and without a pointer there is none");
    struct launch_concurrency concurrency = {.key = NULL};
    char *key = NULL, text[300];
    error_auto err = ERROR_INIT;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    is_int(policy_key(&concurrency, text, NULL, &key, &err), -1, "a key is bounded");
    is_int(err.code, E_INVALID_INPUT, "as an input is");
}

int main(void)
{
    test_checks();
    test_pauses();
    test_which();
    test_keys();
    return done_testing();
}
