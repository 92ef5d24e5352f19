/* Runs JSON Schema test suites in the official format and prints TAP, one line a test.
 *
 *     schema_suite DIR [--remotes DIR] [--draft draft2020-12|draft7]
 *
 * DIR is searched for .json files at any depth. A file's draft is what --draft says, else what the
 * nearest folder is called; a schema's own $schema goes before both, and files of other drafts are
 * skipped. `remotes` is what http://localhost:1234/ would serve. In folders called "format" the
 * keyword `format` is asserted, elsewhere it annotates. Exit code 0 when every test passed. */
#include <fts.h>

#include "base/json.h"
#include "schema/schema.h"
#include "tap.h"

#define REMOTES_BASE "http://localhost:1234/"

static const struct {
    const char *name;
    enum schema_draft draft;
} drafts[] = {
    {"draft2020-12", SCHEMA_DRAFT_2020_12},
    {"draft7", SCHEMA_DRAFT_7},
};

struct suite {
    const char *remotes; /* folder or NULL */
    json_t *loaded;      /* path → document, what the resolver has read */
    const char *file;
    struct schema_options opts;
};

static json_t *file_load(const char *path, json_error_t *error)
{
    size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_t *json = json_load_file(path, flags, error);
    if (json == NULL && json_error_code(error) == json_error_numeric_overflow)
        json = json_load_file(path, flags | JSON_DECODE_INT_AS_REAL, error);
    return json;
}

static const json_t *suite_resolve(void *arg, const char *uri)
{
    struct suite *suite = arg;
    size_t base = strlen(REMOTES_BASE);
    json_error_t error;
    if (suite->remotes == NULL || strncmp(uri, REMOTES_BASE, base) != 0 ||
        strstr(uri, "..") != NULL)
        return NULL;
    autofree char *path = xasprintf("%s/%s", suite->remotes, uri + base);
    json_t *document = json_object_get(suite->loaded, path);
    if (document == NULL && (document = file_load(path, &error)) != NULL)
        json_object_set_new(suite->loaded, path, document);
    return document;
}

static void run_test(const struct suite *suite, const char *group, const struct schema *schema,
                     const char *refused, const json_t *test)
{
    const char *name = jx_str(test, "description", "?");
    error_auto err = ERROR_INIT;
    bool want = jx_bool(test, "valid", false);
    bool got = schema != NULL && schema_validate(schema, json_object_get(test, "data"), &err) == 0;
    if (!ok(schema != NULL && got == want, "%s: %s: %s", suite->file, group, name))
        note("%s", schema == NULL ? refused : want ? err.message : "matches, but should not");
    if (schema != NULL && !want && !got && json_object_get(err.details, "validationErrors") == NULL)
        ok(false, "%s: %s: %s: the error tells places", suite->file, group, name);
}

static void run_group(const struct suite *suite, const json_t *group)
{
    error_auto err = ERROR_INIT;
    size_t i;
    json_t *test;
    struct schema *schema = schema_compile(json_object_get(group, "schema"), &suite->opts, &err);
    json_array_foreach (json_object_get(group, "tests"), i, test)
        run_test(suite, jx_str(group, "description", "?"), schema, err.message, test);
    schema_unref(schema);
}

static void run_file(struct suite *suite, const char *path)
{
    json_error_t error;
    size_t i;
    json_t *group;
    jx_auto *groups = file_load(path, &error);
    if (!json_is_array(groups)) {
        ok(false, "%s is a test file: %s", path, groups == NULL ? error.text : "not an array");
        return;
    }
    suite->opts.format_annotates = strstr(path, "/format/") == NULL;
    json_array_foreach (groups, i, group)
        run_group(suite, group);
}

/* The draft of the nearest folder that is named after one; false when it is another's. */
static bool path_draft(const char *path, enum schema_draft *draft_r)
{
    const char *folder = NULL;
    for (const char *s = path; (s = strstr(s, "draft")) != NULL; s++)
        if (s == path || s[-1] == '/')
            folder = s;
    if (folder == NULL)
        return true;
    for (size_t i = 0; i < countof(drafts); i++) {
        size_t n = strlen(drafts[i].name);
        if (strncmp(folder, drafts[i].name, n) == 0 && folder[n] == '/') {
            *draft_r = drafts[i].draft;
            return true;
        }
    }
    return strchr(folder, '/') == NULL;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static void run_folder(struct suite *suite, const char *dir, bool fixed)
{
    FTS *tree = fts_open((char *const[]){(char *)dir, NULL}, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    if (tree == NULL) {
        ok(false, "%s can be read", dir);
        return;
    }
    for (FTSENT *entry; (entry = fts_read(tree)) != NULL;) {
        const char *dot = strrchr(entry->fts_name, '.');
        if (entry->fts_info != FTS_F || dot == NULL || strcmp(dot, ".json") != 0)
            continue;
        suite->opts.draft = fixed ? suite->opts.draft : SCHEMA_DRAFT_2020_12;
        size_t cut = strlen(dir);
        suite->file = entry->fts_pathlen > cut + 1 ? entry->fts_path + cut : entry->fts_name;
        while (*suite->file == '/')
            suite->file++;
        if (fixed || path_draft(entry->fts_path, &suite->opts.draft))
            run_file(suite, entry->fts_path);
        else
            skip("another draft", suite->file);
    }
    fts_close(tree);
}

static int usage(void)
{
    fprintf(stderr, "usage: schema_suite DIR [--remotes DIR] [--draft draft2020-12|draft7]\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct suite suite = {.loaded = json_object()};
    const char *dir = NULL, *draft = NULL;
    suite.opts.resolver = (struct schema_resolver){suite_resolve, &suite};
    for (int i = 1; i < argc; i++) {
        const char **value = strcmp(argv[i], "--remotes") == 0 ? &suite.remotes
                             : strcmp(argv[i], "--draft") == 0 ? &draft
                                                               : NULL;
        if (value == NULL && argv[i][0] != '-' && dir == NULL)
            dir = argv[i];
        else if (value != NULL && i + 1 < argc)
            *value = argv[++i];
        else
            return usage();
    }
    size_t i = 0;
    while (draft != NULL && i < countof(drafts) && strcmp(drafts[i].name, draft) != 0)
        i++;
    if (dir == NULL || i == countof(drafts))
        return usage();
    suite.opts.draft = drafts[i].draft;
    run_folder(&suite, dir, draft != NULL);
    if (tap_run == 0)
        ok(false, "%s has test files", dir);
    json_decref(suite.loaded);
    return done_testing();
}
