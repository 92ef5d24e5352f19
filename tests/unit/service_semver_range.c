/* Ranges of versions: what is one, and what is in it. */
#include "service/semver_range.h"

#include "base/cleanup.h"
#include "tap.h"

static const char *const versions[] = {
    "0.0.3", "0.0.4",      "0.2.3",      "0.2.9",       "0.3.0", "1.0.0-rc.1",  "1.0.0",
    "1.0.1", "1.2.0-beta", "1.2.0",      "1.2.3-alpha", "1.2.3", "1.2.4-alpha", "1.2.4",
    "1.3.0", "1.4.9",      "2.0.0-rc.1", "2.0.0-rc.2",  "2.0.0", "2.0.1",       "3.0.0",
};

static const struct {
    const char *range, *in; /* the versions in it, in order */
} rows[] = {
    {"1.2.3", "1.2.3"},
    {"=1.2.3", "1.2.3"},
    {"1.2.3-alpha", "1.2.3-alpha"},
    {"^1.2", "1.2.0 1.2.3 1.2.4 1.3.0 1.4.9"},
    {"^1.2.3", "1.2.3 1.2.4 1.3.0 1.4.9"},
    {"^0.2.3", "0.2.3 0.2.9"},
    {"^0.0.3", "0.0.3"},
    {"^0.0", "0.0.3 0.0.4"},
    {"^0", "0.0.3 0.0.4 0.2.3 0.2.9 0.3.0"},
    {"^1.2.3-alpha", "1.2.3-alpha 1.2.3 1.2.4 1.3.0 1.4.9"},
    {"^2.0.0-rc.2", "2.0.0-rc.2 2.0.0 2.0.1"},
    {"~1.2.3", "1.2.3 1.2.4"},
    {"~1.2", "1.2.0 1.2.3 1.2.4"},
    {"~1", "1.0.0 1.0.1 1.2.0 1.2.3 1.2.4 1.3.0 1.4.9"},
    {"1.2", "1.2.0 1.2.3 1.2.4"},
    {"1.2.x", "1.2.0 1.2.3 1.2.4"},
    {"1.2.*", "1.2.0 1.2.3 1.2.4"},
    {"1.x", "1.0.0 1.0.1 1.2.0 1.2.3 1.2.4 1.3.0 1.4.9"},
    {"1.X.x", "1.0.0 1.0.1 1.2.0 1.2.3 1.2.4 1.3.0 1.4.9"},
    {"2", "2.0.0 2.0.1"},
    {"*",
     "0.0.3 0.0.4 0.2.3 0.2.9 0.3.0 1.0.0 1.0.1 1.2.0 1.2.3 1.2.4 1.3.0 1.4.9 2.0.0 2.0.1 3.0.0"},
    {">=1.2 <2", "1.2.0 1.2.3 1.2.4 1.3.0 1.4.9"},
    {">= 1.2 < 2", "1.2.0 1.2.3 1.2.4 1.3.0 1.4.9"},
    {">1.2 <2", "1.3.0 1.4.9"},
    {">1.2.3 <=1.3", "1.2.4 1.3.0"},
    {">1", "2.0.0 2.0.1 3.0.0"},
    {"<=1", "0.0.3 0.0.4 0.2.3 0.2.9 0.3.0 1.0.0 1.0.1 1.2.0 1.2.3 1.2.4 1.3.0 1.4.9"},
    {"<1", "0.0.3 0.0.4 0.2.3 0.2.9 0.3.0"},
    {"<0.0.4", "0.0.3"},
    {"<*", ""},
    {">*", ""},
    {">=*",
     "0.0.3 0.0.4 0.2.3 0.2.9 0.3.0 1.0.0 1.0.1 1.2.0 1.2.3 1.2.4 1.3.0 1.4.9 2.0.0 2.0.1 3.0.0"},
    {">=2.0.0-rc.1", "2.0.0-rc.1 2.0.0-rc.2 2.0.0 2.0.1 3.0.0"},
    {"<2.0.0-rc.2 >=1.4.9", "1.4.9 2.0.0-rc.1"},
    {"1.2 - 1.3", "1.2.0 1.2.3 1.2.4 1.3.0"},
    {"1.2.3 - 1.4", "1.2.3 1.2.4 1.3.0 1.4.9"},
    {"1.0.1 - 1.2.3", "1.0.1 1.2.0 1.2.3"},
    {"^0.2 || 3", "0.2.3 0.2.9 3.0.0"},
    {"0.0.3||3.x", "0.0.3 3.0.0"},
    {" 1.3.0 ", "1.3.0"},
    {"5", ""},
};

static const char *const no_ranges[] = {
    "",
    " ",
    "latest",
    "stable",
    "v1.2.3",
    "1.2.3.4",
    "1..2",
    "x.1",
    "1.x.3-rc",
    "01.2",
    "^",
    ">",
    ">=",
    "1 ||",
    "|| 1",
    "1 | 2",
    "1 -",
    "- 1",
    "1 - ",
    "1-2",
    ">=1 -2",
    "^^1",
    "=>1",
    "1,2",
    "1 2 3a",
    "~>1",
    "1.2.3-",
    "1.2.3-01",
    "9999999999999999999",
    "1.2.3 - x.1",
    "\t1",
};

static void matches_test(void)
{
    for (size_t i = 0; i < countof(rows); i++) {
        struct semver_range range;
        char in[512] = "";
        size_t len = 0;
        if (!semver_range_parse(rows[i].range, &range)) {
            ok(false, "'%s' is a range", rows[i].range);
            continue;
        }
        for (size_t v = 0; v < countof(versions); v++)
            if (semver_range_has(&range, versions[v]))
                len += (size_t)snprintf(in + len, sizeof(in) - len, "%s%s", len > 0 ? " " : "",
                                        versions[v]);
        is_str(in, rows[i].in, "'%s'", rows[i].range);
    }
}

static void bounds_test(void)
{
    struct semver_range range;
    char text[600] = "1";
    for (int i = 1; i < SEMVER_TERMS_MAX; i++)
        strcat(text, "||1");
    ok(strlen(text) <= SEMVER_RANGE_MAX && !semver_range_parse(text, &range),
       "more comparisons than fit are refused");
    memset(text, '1', SEMVER_RANGE_MAX + 1);
    text[SEMVER_RANGE_MAX + 1] = '\0';
    ok(!semver_range_parse(text, &range), "so is a text that is too long");
    ok(semver_range_parse("^999999999999999999", &range) &&
           semver_range_has(&range, "999999999999999999.5.0") &&
           !semver_range_has(&range, "1000000000000000000.0.0"),
       "numbers may have 18 digits, and the next one has 19");
}

int main(void)
{
    matches_test();
    for (size_t i = 0; i < countof(no_ranges); i++) {
        struct semver_range range;
        ok(!semver_range_parse(no_ranges[i], &range), "'%s' is no range", no_ranges[i]);
    }
    bounds_test();
    return done_testing();
}
