/* The official suite, where it is at hand: all required tests of both drafts, the formats that are
 * asserted, and the optional behaviour that c9d has. One line a file; what fails is shown. */
#include <dirent.h>
#include <libgen.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tap.h"

#define SUITE_DEFAULT "../shared/data/json-schema-test-suite"

static const char *const drafts[] = {"draft2020-12", "draft7"};
static const char *const optional[] = {
    "anchor",
    "bignum",
    "dynamicRef",
    "ecmascript-regex",
    "float-overflow",
    "format-assertion",
    "id",
    "no-schema",
    "non-bmp-regex",
    "refOfUnknownKeyword",
    "unknownKeyword",
    "format/date-time",
    "format/date",
    "format/time",
    "format/duration",
    "format/email",
    "format/hostname",
    "format/ipv4",
    "format/ipv6",
    "format/uri",
    "format/uri-reference",
    "format/uuid",
    "format/json-pointer",
    "format/regex",
    "format/ecmascript-regex",
    "format/unknown",
};

static const char *runner, *suite;

static void run(const char *draft, const char *file)
{
    autofree char *command =
        xasprintf("exec '%s' '%s/tests/%s/%s' --remotes '%s/remotes' --draft %s", runner, suite,
                  draft, file, suite, draft);
    char line[1024];
    int failed = 0, passed = 0;
    FILE *out = popen(command, "r");
    while (out != NULL && fgets(line, sizeof(line), out) != NULL) {
        passed += strncmp(line, "ok ", 3) == 0;
        if (strncmp(line, "not ok ", 7) == 0 && failed++ < 20)
            note("%s", line);
    }
    int status = out != NULL ? pclose(out) : -1;
    ok(status == 0 && failed == 0 && passed > 0, "%s/%s: %d tests", draft, file, passed);
}

static int is_json(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 5 && strcmp(e->d_name + n - 5, ".json") == 0;
}

static void run_draft(const char *draft)
{
    autofree char *dir = xasprintf("%s/tests/%s", suite, draft);
    struct dirent **files;
    int n = scandir(dir, &files, is_json, alphasort);
    ok(n > 0, "%s has required tests", draft);
    for (int i = 0; i < n; i++) {
        run(draft, files[i]->d_name);
        free(files[i]);
    }
    if (n >= 0)
        free(files);
    for (size_t i = 0; i < countof(optional); i++) {
        autofree char *file = xasprintf("optional/%s.json", optional[i]);
        autofree char *path = xasprintf("%s/%s", dir, file);
        if (access(path, R_OK) == 0)
            run(draft, file);
    }
}

int main(int argc, char **argv)
{
    (void)argc;
    autofree char *self = xstrdup(argv[0]);
    autofree char *sibling = xasprintf("%s/schema_suite", dirname(self));
    runner = sibling;
    suite = getenv("C9_SCHEMA_SUITE") != NULL ? getenv("C9_SCHEMA_SUITE") : SUITE_DEFAULT;
    if (access(suite, R_OK) != 0) {
        skip("the suite is not here; C9_SCHEMA_SUITE names its folder", "official suite");
        return done_testing();
    }
    ok(access(runner, X_OK) == 0, "%s is built", runner);
    for (size_t i = 0; i < countof(drafts); i++)
        run_draft(drafts[i]);
    return done_testing();
}
