/* Signatures of webhooks, against GitHub's example and Python's hmac, and events' patterns. */
#include "service/hook_signature.h"

#include "base/clock.h"
#include "service/event_trigger.h"
#include "tap.h"

#define AT (INT64_C(1700000000) * CLOCK_SECOND)

static const char *const standard[2] = {"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", NULL};
static const struct hook_message message = {
    .id = "msg_1",
    .timestamp = "1700000000",
    .signature = "v1,/pr8U9DZwtl1I1TZ4WM8iV28h+piMDtbpa0hQD5Cg/M=",
    .body = "{\"n\": 1}",
    .len = 8,
};
static char key[SHA256_HEX_SIZE];

static bool checks(enum hook_style style, const char *const secrets[2], struct hook_message m,
                   int64_t now)
{
    error_auto err = ERROR_INIT;
    int result = hook_signature_check(style, secrets, &m, now, 300 * CLOCK_SECOND, key, &err);
    if (result < 0 && (err.code != E_SIGNATURE_INVALID || err.message[0] == '\0'))
        abort();
    return result == 0;
}

static void test_standard(void)
{
    struct hook_message m = message;
    const char *const both[2] = {"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", standard[0]};
    ok(checks(HOOK_STANDARD, standard, m, AT), "what Python's hmac makes of it");
    ok(checks(HOOK_STANDARD, both, m, AT), "by the second secret");
    ok(checks(HOOK_STANDARD, standard, m, AT + 300 * CLOCK_SECOND), "as late as is tolerated");
    ok(!checks(HOOK_STANDARD, standard, m, AT + 300 * CLOCK_SECOND + 1), "not later");
    ok(!checks(HOOK_STANDARD, standard, m, AT - 300 * CLOCK_SECOND - 1), "nor earlier");
    m.signature = "v1a,x v1,short v1,/pr8U9DZwtl1I1TZ4WM8iV28h+piMDtbpa0hQD5Cg/M= v2,";
    ok(checks(HOOK_STANDARD, standard, m, AT), "among others");
    m.signature = "v1,/pr8U9DZwtl1I1TZ4WM8iV28h+piMDtbpa0hQD5Cg/A=";
    ok(!checks(HOOK_STANDARD, standard, m, AT), "not with a character changed");
    m = message;
    m.id = "msg_other";
    ok(!checks(HOOK_STANDARD, standard, m, AT), "nor with another id");
    m = message;
    m.len--;
    ok(!checks(HOOK_STANDARD, standard, m, AT), "nor another body");
    m = message;
    m.timestamp = "1700000000 ";
    ok(!checks(HOOK_STANDARD, standard, m, AT), "nor a timestamp that is none");
    m.timestamp = NULL;
    ok(!checks(HOOK_STANDARD, standard, m, AT), "nor without one");
}

static void test_github(void)
{
    const char *const secrets[2] = {"It's a Secret to Everybody", NULL};
    struct hook_message m = {
        .hub_signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        .body = "Hello, World!",
        .len = 13};
    ok(checks(HOOK_GITHUB, secrets, m, 0), "the example of GitHub");
    is_str(key, m.hub_signature + 7, "is known again by its signature");
    m.len = 12;
    ok(!checks(HOOK_GITHUB, secrets, m, 0), "not with another body");
    m.hub_signature = "sha256=757107";
    ok(!checks(HOOK_GITHUB, secrets, m, 0), "nor cut short");
}

static void test_secrets(void)
{
    for (int style = 0; style < HOOK_STYLE_COUNT_; style++) {
        autofree char *made = hook_secret_make((enum hook_style)style);
        autofree char *other = hook_secret_make((enum hook_style)style);
        ok(hook_secret_fault((enum hook_style)style, made) == NULL && strcmp(made, other) != 0,
           "%s: secrets are made", hook_style_names[style]);
    }
    static const char *const bad[] = {
        "", "whsec_", "whsec_AAAA", "whsec_AAECAwQFBgcICQoLDA0ODw==", "whsec_!", "secret_"};
    for (size_t i = 0; i < countof(bad); i++)
        ok(hook_secret_fault(HOOK_STANDARD, bad[i]) != NULL, "'%s' is none", bad[i]);
    ok(hook_secret_fault(HOOK_GITHUB, "fifteen bytes..") != NULL, "nor what is short");
}

static const struct {
    const char *pattern, *text;
    char separator;
    bool matches;
} patterns[] = {
    {"a.b", "a.b", '.', true},
    {"a.b", "a.c", '.', false},
    {"a.b", "a.b.c", '.', false},
    {"a.b", "a", '.', false},
    {"a.*", "a.b", '.', true},
    {"a.*", "a", '.', false},
    {"a.*", "a.b.c", '.', false},
    {"*.b", "a.b", '.', true},
    {"*", "a", '.', true},
    {"*", "a.b", '.', false},
    {"#", "a", '.', true},
    {"#", "a.b.c", '.', true},
    {"a.#", "a", '.', true},
    {"a.#", "a.b.c", '.', true},
    {"a.#", "ab", '.', false},
    {"a.*.#", "a", '.', false},
    {"a.*.#", "a.b", '.', true},
    {"/s/#", "/s", '/', true},
    {"/s/#", "/s/a/b", '/', true},
    {"/s/#", "/st", '/', false},
    {"/*/x", "/s/x", '/', true},
    {"/*/x", "//x", '/', false},
    {"https://a/#", "https://a/b", '/', true},
    {"a.", "a", '.', false},
    {"a", "a.", '.', false},
    {"", "", '.', true},
};

static void test_patterns(void)
{
    for (size_t i = 0; i < countof(patterns); i++)
        is_int(event_pattern_matches(patterns[i].pattern, patterns[i].text, patterns[i].separator),
               patterns[i].matches, "'%s' and '%s'", patterns[i].pattern, patterns[i].text);
}

int main(void)
{
    test_standard();
    test_github();
    test_secrets();
    test_patterns();
    return done_testing();
}
