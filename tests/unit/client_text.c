/* Text for terminals, and values as text. */
#include "base/clock.h"
#include "base/json.h"
#include "client/format.h"
#include "client/profile.h"
#include "client/skill_template.h"
#include "client/term.h"

#include <sys/stat.h>

#include "tap.h"

static void test_escapes(void)
{
    static const struct {
        const char *text, *cell, *whole;
    } rows[] = {
        {"plain Ä 東", "plain Ä 東", "plain Ä 東"},
        {"a\nb\tc", "a b c", "a\nb\tc"},
        {"\x1b[31m\x07\x7f", "\\x1b[31m\\x07\\x7f", "\\x1b[31m\\x07\\x7f"},
        {"\xc2\x9b"
         "31m",
         "\\x9b31m", "\\x9b31m"},
        {"\xff\xc3", "\\xff\\xc3", "\\xff\\xc3"},
        {"a\xe2\x80\xae"
         "b",
         "a\\u{202e}b", "a\\u{202e}b"},
        {"a\rb", "a\\x0db", "a\\x0db"},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        buf_auto cell = BUF_INIT, whole = BUF_INIT;
        term_escape(&cell, rows[i].text, strlen(rows[i].text), TERM_CELL);
        term_escape(&whole, rows[i].text, strlen(rows[i].text), TERM_TEXT);
        is_str(cell.data, rows[i].cell, "a cell: %s", rows[i].cell);
        is_str(whole.data, rows[i].whole, "a text");
    }
    is_int(term_width("ä東e\xcc\x81", 8), 4, "widths: one, two, one and a combining accent");
}

static void check_format(format_fn format, const char *json, const char *want)
{
    error_auto err = ERROR_INIT;
    jx_auto *value = jx_decode(json, strlen(json), "value", &err);
    buf_auto out = BUF_INIT;
    buf_append_str(&out, "");
    format(&out, value);
    is_str(out.data, want, "%s as %s", json, want);
}

static void test_values(void)
{
    check_format(format_text, "\"a\\u001bb\"", "a\\x1bb");
    check_format(format_text, "{\"a\":\"\\u0085\"}", "{\"a\":\"\\u0085\"}");
    check_format(format_text, "1.50", "1.5");
    check_format(format_list, "[\"a\",\"b\"]", "a, b");
    check_format(format_digest, "\"0123456789abcdef\"", "0123456789ab");
    check_format(format_duration, "12", "12 ms");
    check_format(format_duration, "0.25", "250 µs");
    check_format(format_duration, "61500", "61.5 s");
    check_format(format_duration, "\"x\"", "");
    check_format(format_usage,
                 "{\"cpuTimeMs\":3,\"memoryPeakMb\":1,\"apiCallsCount\":1,"
                 "\"tokensConsumed\":20,\"costCents\":2}",
                 "3 ms CPU, 1 MiB peak, 1 call, 20 tokens, 2 cents");
    check_format(format_cost, "{\"costMicrocents\":1250000}", "1.25 cents");
    check_format(format_cost, "{\"costMicrocents\":1}", "0.000001 cents");
    check_format(format_cost, "{\"costMicrocents\":9223372036854775807}",
                 "9223372036854.775807 cents");
    check_format(format_cost, "{\"costCents\":9223372036854775807}", "0 cents");
    check_format(format_json, "{\"a\":[1,{}],\"b\":[]}",
                 "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}\n");
}

static void test_relative(void)
{
    static const struct {
        int64_t seconds;
        const char *want;
    } rows[] = {{0, "just now"},         {5, "5 s ago"},    {-5, "in 5 s"},
                {3600, "1 h ago"},       {-90, "in 1 min"}, {86400 * 3, "3 d ago"},
                {86400 * 800, "2 y ago"}};
    for (size_t i = 0; i < countof(rows); i++) {
        buf_auto out = BUF_INIT;
        format_relative(&out, INT64_C(1800000000) * CLOCK_SECOND,
                        (INT64_C(1800000000) + rows[i].seconds) * CLOCK_SECOND);
        is_str(out.data, rows[i].want, "%s", rows[i].want);
    }
}

static void test_table(void)
{
    static const struct column columns[] = {{"NAME", "name", format_text, false},
                                            {"N", "n", format_text, true},
                                            {"TEXT", "text", format_text, false}};
    jx_auto *rows = json_pack("[{sssiss},{sssiss},{ss}]", "name", "東京", "n", 5, "text", "short",
                              "name", "x", "n", 1000, "text", "long long long long", "name", "y");
    buf_auto all = BUF_INIT, cut = BUF_INIT;
    format_table(&all, columns, countof(columns), rows, 0);
    is_str(all.data,
           "NAME     N  TEXT\n"
           "東京     5  short\n"
           "x     1000  long long long long\n"
           "y\n",
           "columns are aligned by width, numbers to the right");
    format_table(&cut, columns, countof(columns), rows, 24);
    ok(strstr(cut.data, "x     1000  long long l…\n") != NULL,
       "the last column is cut to the terminal");
}

static void test_object(void)
{
    jx_auto *object =
        json_pack("{ss,s[ss],s{si}}", "prompt", "a\nb", "tags", "x", "y", "more", "n", 1);
    buf_auto out = BUF_INIT;
    format_object(&out, object);
    is_str(out.data, "prompt\n    a\n    b\ntags    x, y\nmore\n    {\n      \"n\": 1\n    }\n",
           "labels, lists and blocks");
}

static void test_urls(void)
{
    static const char *const good[] = {"http://h", "https://h:1/base", "unix:/run/c9d.sock"};
    static const char *const bad[] = {"",           "h:1",          "ftp://h",
                                      "http://",    "unix:x",       "http://a b",
                                      "http://u@h", "http://h?x=1", "file:///etc/passwd"};
    for (size_t i = 0; i < countof(good); i++)
        is_int(profile_url_check(good[i], NULL), 0, "%s is a server's address", good[i]);
    for (size_t i = 0; i < countof(bad); i++)
        is_int(profile_url_check(bad[i], NULL), -1, "'%s' is none", bad[i]);
}

static void test_save(void)
{
    autofree char *folder = tap_temporary();
    error_auto err = ERROR_INIT;
    struct args args = {0};
    if (!ok(mkdtemp(folder) != NULL, "a folder"))
        return;
    autofree char *path = xasprintf("%s/a/b/c9ctl.conf", folder);
    setenv("C9CTL_CONFIG", path, 1);
    is_int(profile_save(path, "one", "http://one", "t1", &err), 0, "a profile is written");
    is_int(profile_save(path, "two", "http://two", NULL, &err), 0, "and another");
    is_int(profile_save(path, "one", "http://uno", "t2", &err), 0, "the first is replaced");
    struct stat st;
    ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "nobody else can read it");
    profile_auto profile = PROFILE_INIT;
    is_int(profile_resolve(&args, &profile, &err), 0, "the default is read: %s", err.message);
    is_str(profile.url, "http://uno", "its address");
    is_str(profile.token, "t2", "its token");
    profile_free(&profile);
    setenv("C9CTL_URL", "http://other/", 1);
    is_int(profile_resolve(&args, &profile, &err), 0, "the environment wins");
    is_str(profile.url, "http://other", "its address, without the slash");
    ok(profile.token == NULL, "the profile's token does not go there");
    unlink(path);
    autofree char *b = xasprintf("%s/a/b", folder), *a = xasprintf("%s/a", folder);
    rmdir(b);
    rmdir(a);
    is_int(rmdir(folder), 0, "nothing else was left behind");
}

static void test_template(void)
{
    buf_auto out = BUF_INIT;
    skill_template(&out, "my_skill");
    ok(strstr(out.data, "name = \"my_skill\"") != NULL && strstr(out.data, "@NAME@") == NULL,
       "the skill has its name everywhere");
}

int main(void)
{
    unsetenv("C9CTL_URL");
    unsetenv("C9CTL_TOKEN");
    unsetenv("C9CTL_TOKEN_FILE");
    unsetenv("C9CTL_PROFILE");
    term_setup();
    test_escapes();
    test_values();
    test_relative();
    test_table();
    test_object();
    test_urls();
    test_save();
    test_template();
    return done_testing();
}
