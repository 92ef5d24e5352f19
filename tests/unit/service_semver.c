/* Semantic Versioning 2.0.0: what is one, and what comes after what. */
#include "service/semver.h"
#include "tap.h"

static const char *const valid[] = {
    "0.0.4",
    "1.2.3",
    "10.20.30",
    "1.1.2-prerelease+meta",
    "1.1.2+meta-valid",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-0A.is.legal",
    "1.0.0-rc.1+build.1",
    "1.2.3----RC-SNAPSHOT.12.9.1--.12",
    "1.0.0+0.build.1-rc.10000aaa-kk-0.1",
    "2.0.0+build.1848",
    "99999999999999999999999.0.0",
};
static const char *const invalid[] = {
    "",
    "1",
    "1.2",
    "1.2.3.4",
    "1.2.3-",
    "1.2.3+",
    "01.1.1",
    "1.01.1",
    "1.1.01",
    "1.2.3-0123",
    "1.2.3-0123.0123",
    "1.1.2+.123",
    "-1.0.3",
    "1.2.3-a..b",
    "v1.2.3",
    "1.2.3 ",
    "1.2.3-ä",
    "1..3",
    "1.2.3+a+b",
    "alpha",
    "latest",
    "1.0.0-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
};
/* Each below the next (§11.4, and numbers longer than any integer). */
static const char *const order[] = {
    "0.9.9",
    "1.0.0-1",
    "1.0.0-2",
    "1.0.0-10",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-alpha0",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "1.2.0",
    "1.10.0",
    "2.0.0",
    "18446744073709551616.0.0",
    "18446744073709551617.0.0",
};

int main(void)
{
    for (size_t i = 0; i < sizeof(valid) / sizeof(*valid); i++)
        ok(semver_valid(valid[i]), "%s is one", valid[i]);
    for (size_t i = 0; i < sizeof(invalid) / sizeof(*invalid); i++)
        ok(!semver_valid(invalid[i]), "'%s' is none", invalid[i]);
    size_t n = sizeof(order) / sizeof(*order);
    int wrong = 0;
    for (size_t a = 0; a < n; a++)
        for (size_t b = 0; b < n; b++) {
            int got = semver_compare(order[a], order[b]);
            bool right = a < b ? got < 0 : a > b ? got > 0 : got == 0;
            if (!right)
                note("%s against %s: %d", order[a], order[b], got);
            wrong += !right;
        }
    is_int(wrong, 0, "every pair is ordered");
    is_int(semver_compare("1.0.0+a", "1.0.0+b"), 0, "build metadata does not count");
    is_int(semver_compare("1.0.0-a+x", "1.0.0-a"), 0, "not behind a pre-release either");
    char next[SEMVER_MAX + 1];
    ok(semver_next("1.2.3", next), "there is a next patch");
    is_str(next, "1.2.4", "1.2.3 → 1.2.4");
    semver_next("1.3.0-rc.1+x", next);
    is_str(next, "1.3.0", "1.3.0-rc.1 → 1.3.0");
    semver_next("0.0.9+x", next);
    is_str(next, "0.0.10", "0.0.9+x → 0.0.10");
    ok(!semver_next("1.0.9999999999999999999999", next), "a patch that does not fit has none");
    return done_testing();
}
