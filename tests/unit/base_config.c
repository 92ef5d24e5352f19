/* Configuration: files in a folder of their own, environment, secrets, and what is refused. */
#include "base/config.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/nearest.h"
#include "tap.h"

static char *folder;

static char *path_in(const char *name)
{
    return xasprintf("%s/%s", folder, name);
}

static void put(const char *name, const char *text)
{
    autofree char *path = path_in(name);
    FILE *f = fopen(path, "w");
    if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
        abort();
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static const struct config_key http_keys[] = {
    {"http", "listen", CONFIG_STRING, "127.0.0.1:8090", 0, 0, NULL, "The address."},
    {"http", "max_body", CONFIG_SIZE, "1MiB", 1024, 1 << 30, NULL, "The largest body."},
    {"http", "timeout", CONFIG_DURATION, "30s", 1000, 3600 * CLOCK_SECOND, NULL, "Inactivity."},
    {"http", "threads", CONFIG_INT, "2", 1, 64, NULL, "Threads."},
    {"http", "compress", CONFIG_BOOL, "no", 0, 0, NULL, "Whether to compress."},
    {"http", "origins", CONFIG_LIST, NULL, 0, 0, NULL, "Allowed origins."},
    {"http", "offset", CONFIG_INT, NULL, 0, 0, NULL, "Any number."},
    {"log", "level", CONFIG_CHOICE, "info", 0, 0, "debug|info|warn|error", "The least level."},
};
static const struct config_key model_keys[] = {
    {"model", "plugin", CONFIG_STRING, "model_openai", 0, 0, NULL, "The plugin."},
};
static const struct config_key openai_keys[] = {
    {NULL, "url", CONFIG_STRING, "https://example.org", 0, 0, NULL, "The base URL."},
    {NULL, "api_key", CONFIG_SECRET, NULL, 0, 0, NULL, "The key."},
};

/* Writes the main file, loads and declares. NULL with err filled when any of it fails. */
static struct config *load(const char *text, struct error *err)
{
    put("c9d.conf", text);
    autofree char *path = path_in("c9d.conf");
    struct config *config = config_load(path, err);
    if (config == NULL || (config_declare(config, http_keys, countof(http_keys), err) == 0 &&
                           config_declare(config, model_keys, countof(model_keys), err) == 0))
        return config;
    config_free(config);
    return NULL;
}

/* The message behind the folder's name. */
static const char *told(const struct error *err)
{
    const char *slash = strstr(err->message, "/c9d.conf:");
    return slash != NULL ? slash + 1 : err->message;
}

static void test_values(void)
{
    error_auto err = ERROR_INIT;
    struct config *c = load("# comment\n; comment\n\n"
                            "[http]\n"
                            "listen = [::1]:80 ; behind a value\n"
                            "  max_body=2 MiB\r\n"
                            "timeout : 250ms\n"
                            "compress = Yes\n"
                            "origins = a, b  c\n"
                            "offset = -9223372036854775808\n"
                            "[log]\nlevel = warn",
                            &err);
    if (!ok(c != NULL, "a file is read %s", err.message))
        return;
    is_str(config_string(c, "http", NULL, "listen"), "[::1]:80", "text, without its comment");
    is_int(config_int(c, "http", NULL, "max_body"), 2 << 20, "a size");
    is_int(config_int(c, "http", NULL, "timeout"), 250000, "a duration in microseconds");
    ok(config_bool(c, "http", NULL, "compress"), "a boolean");
    is_str(config_string(c, "http", NULL, "origins"), "a, b  c", "a list's raw text");
    ok(config_int(c, "http", NULL, "offset") == INT64_MIN, "the least integer");
    is_str(config_string(c, "log", NULL, "level"), "warn", "a choice");
    is_int(config_int(c, "http", NULL, "threads"), 2, "a default");
    is_str(config_origin(c, "http", NULL, "threads"), "default", "whose origin is told");
    const char *origin = config_origin(c, "http", NULL, "compress");
    is_str(strstr(origin, "/c9d.conf:"), "/c9d.conf:8", "as is a line");
    is_int(config_check(c, &err), 0, "all of it is known");
    is_int(config_declare(c, http_keys, countof(http_keys), &err), 0,
           "declaring twice is harmless");
    struct config_key other = http_keys[0];
    ok(config_declare(c, &other, 1, &err) < 0 && strstr(err.message, "two tables") != NULL,
       "two tables may not declare one key (%s)", err.message);
    config_free(c);
}

static void test_defaults(void)
{
    error_auto err = ERROR_INIT;
    struct config *c = config_load(NULL, &err);
    is_int(config_declare(c, http_keys, countof(http_keys), &err), 0, "without a file");
    is_str(config_string(c, "http", NULL, "listen"), "127.0.0.1:8090", "there are defaults");
    ok(config_string(c, "http", NULL, "origins") == NULL, "or NULL");
    is_int(config_int(c, "http", NULL, "offset"), 0, "or 0");
    is_int(config_check(c, &err), 0, "and nothing is wrong");
    config_free(c);
    ok(config_load("/nonexistent/c9d.conf", &err) == NULL && err.code == E_CONFIG_INVALID,
       "a missing file is an error (%s)", err.message);
}

static void test_refused_syntax(void)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"[http]\nlisten\n", "c9d.conf:2: neither a [section], a key = value, nor a # comment"},
        {"[http\n", "c9d.conf:1: neither a [section], a key = value, nor a # comment"},
        {"x = 1\n", "c9d.conf:1: 'x' stands before the first [section]"},
        {"[http]\n\nthreads=1\nthreads=2\n", "c9d.conf:4: 'threads' was given in line 3 already"},
        {"[http]\nlisten = a\xFF\n", "c9d.conf:2: not UTF-8 text"},
        {"[a b c]\n", "c9d.conf:1: '[a b c]' is not a section: write [name] or [name instance], "
                      "letters, digits, '_' and '-', at most 49 bytes"},
        {"\n[]\n", "c9d.conf:2: '[]' is not a section: write [name] or [name instance], letters, "
                   "digits, '_' and '-', at most 49 bytes"},
        {"[http]\nthreads = 65\n", "c9d.conf:2: threads = 65: must be between 1 and 64"},
        {"[http]\nthreads = two\n", "c9d.conf:2: threads = two: must be a whole number"},
        {"[http]\nthreads = \n", "c9d.conf:2: threads = : must be a whole number"},
        {"[http]\noffset = 9223372036854775808\n",
         "c9d.conf:2: offset = 9223372036854775808: must be a whole number"},
        {"[http]\ncompress = maybe\n", "c9d.conf:2: compress = maybe: must be true or false"},
        {"[http]\ntimeout = 2h\n", "c9d.conf:2: timeout = 2h: must be between 1ms and 1h"},
        {"[http]\ntimeout = soon\n", "c9d.conf:2: timeout = soon: must be a duration such as "
                                     "250ms, 30s, 5m, 2h or 3d"},
        {"[http]\nmax_body = 1kb\n", "c9d.conf:2: max_body = 1kb: must be a size in bytes such as "
                                     "4096, 64KiB, 10MiB or 1GiB"},
        {"[http]\nmax_body = 99999999999GiB\n",
         "c9d.conf:2: max_body = 99999999999GiB: must be a size in bytes such as 4096, 64KiB, "
         "10MiB or 1GiB"},
        {"[http]\nmax_body = 2GiB\n", "c9d.conf:2: max_body = 2GiB: must be between 1KiB and 1GiB"},
        {"[log]\nlevel = loud\n", "c9d.conf:2: level = loud: must be one of debug|info|warn|error"},
        {"[log]\nlevel = inf\n", "c9d.conf:2: level = inf: must be one of debug|info|warn|error"},
        {"[http]\nthreads=0\n[log]\nlevel=x\n", "c9d.conf:2: threads = 0: must be between 1 and 64 "
                                                "(and 1 more)"},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        error_auto err = ERROR_INIT;
        struct config *c = load(rows[i].text, &err);
        ok(c == NULL && err.code == E_CONFIG_INVALID, "row %zu is refused", i);
        is_str(told(&err), rows[i].message, "with its line and reason");
        config_free(c);
    }
}

static void test_bounds(void)
{
    error_auto err = ERROR_INIT;
    buf_auto b = BUF_INIT;
    buf_append_str(&b, "[http]\nlisten = ");
    for (int i = 0; i < 4000; i++)
        buf_append_char(&b, 'x');
    buf_append_str(&b, "\nthreads=3\n");
    struct config *c = load(b.data, &err);
    ok(c != NULL && strlen(config_string(c, "http", NULL, "listen")) == 4000 &&
           config_int(c, "http", NULL, "threads") == 3,
       "a line of 4,000 bytes is whole %s", err.message);
    config_free(c);
    buf_reset(&b);
    buf_append_str(&b, "[http]\n#");
    for (int i = 0; i < 5000; i++)
        buf_append_char(&b, 'x');
    ok(load(b.data, &err) == NULL, "a longer one is refused");
    is_str(told(&err), "c9d.conf:2: the line is longer than 4096 bytes", "with its number");
    buf_reset(&b);
    for (int i = 0; i < 300000; i++)
        buf_append_str(&b, "# x\n");
    ok(load(b.data, &err) == NULL && strstr(err.message, "larger than 1048576 bytes") != NULL,
       "a large file is refused");
    buf_reset(&b);
    buf_append_str(&b, "[http]\n");
    for (int i = 0; i < 5000; i++)
        buf_printf(&b, "k%d=1\n", i);
    ok(load(b.data, &err) == NULL && strstr(err.message, ":4098: more than 4096 keys") != NULL,
       "so are very many keys (%s)", told(&err));
}

static const json_t *problem(const struct error *err, size_t i)
{
    return json_array_get(json_object_get(err->details, "problems"), i);
}

static void test_unknown(void)
{
    error_auto err = ERROR_INIT;
    struct config *c = load("[http]\nlisen = x\n[logg]\nlevel=info\n\n[http x]\nlisten=y\n"
                            "[zzzzzz]\n[model default]\nplugin=p\nquite_else = 1\n",
                            &err);
    const char *names[4];
    is_int(config_instances(c, "model", names, 4), 1, "a section with a name");
    ok(config_check(c, &err) < 0, "what was never declared is found");
    is_str(told(&err), "c9d.conf:2: [http] has no key 'lisen'; did you mean 'listen'? (and 4 more)",
           "the first in the message");
    static const struct {
        int line;
        const char *message;
    } rows[] = {
        {2, "[http] has no key 'lisen'; did you mean 'listen'?"},
        {3, "there is no section [logg]; did you mean 'log'?"},
        {6, "section [http] takes no name: write [http] and not [http x]"},
        {8, "there is no section [zzzzzz]"},
        {11, "[model default] has no key 'quite_else'"},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        is_int(jx_int(problem(&err, i), "line", 0), rows[i].line, "problem %zu's line", i);
        is_str(jx_str(problem(&err, i), "message", "?"), rows[i].message, "and sentence");
    }
    is_str(jx_str(problem(&err, 0), "key", "?"), "lisen", "its key");
    ok(problem(&err, countof(rows)) == NULL, "and no more");
    config_free(c);
}

static void test_instances(void)
{
    error_auto err = ERROR_INIT;
    struct config *c = load("[model cheap]\nurl = http://a\n[model default]\n"
                            "api_key = k1\n[ model   cheap ]\nplugin = other\n",
                            &err);
    const char *names[8];
    is_int(config_instances(c, "model", names, 8), 2, "each instance once");
    is_str(names[0], "cheap", "in the order met");
    is_int(config_instances(c, "model", names, 1), 1, "at most as many as asked for");
    is_int(config_instances(c, "http", names, 8), 0, "a plain section has none");
    for (size_t i = 0; i < 2; i++) {
        config_instances(c, "model", names, 8);
        config_declare_instance(c, "model", names[i], openai_keys, 2, &err);
    }
    is_str(config_string(c, "model", "cheap", "plugin"), "other", "an instance's own value");
    is_str(config_string(c, "model", "default", "plugin"), "model_openai", "another's default");
    is_str(config_string(c, "model", "cheap", "url"), "http://a", "a plugin's key");
    is_str(config_string(c, "model", "default", "api_key"), "k1", "a secret in the file");
    ok(config_string(c, "model", "cheap", "api_key") == NULL, "is of its instance only");
    is_int(config_check(c, &err), 0, "all is known %s", err.message);
    config_free(c);
}

static void test_folder(void)
{
    error_auto err = ERROR_INIT;
    autofree char *conf_d = path_in("conf.d");
    mkdir(conf_d, 0700);
    put("conf.d/20-b.conf", "[http]\nthreads = 20\n");
    put("conf.d/10-a.conf", "[http]\nthreads = 10\nlisten = a\n");
    put("conf.d/.hidden.conf", "nonsense\n");
    put("conf.d/30-c.conf~", "nonsense\n");
    struct config *c = load("[http]\nthreads = 5\nmax_body = 4096\n", &err);
    is_int(config_int(c, "http", NULL, "threads"), 20, "the last of conf.d wins %s", err.message);
    is_str(config_string(c, "http", NULL, "listen"), "a", "over the one before");
    is_int(config_int(c, "http", NULL, "max_body"), 4096, "and over the main file");
    ok(strstr(config_origin(c, "http", NULL, "threads"), "conf.d/20-b.conf:2") != NULL,
       "the origin names the file");
    config_free(c);
    put("conf.d/40-bad.conf", "[http]\nthreads\n");
    ok(load("", &err) == NULL && strstr(err.message, "conf.d/40-bad.conf:2: ") != NULL,
       "an error there names the file and line");
    nftw(conf_d, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void test_environment(void)
{
    error_auto err = ERROR_INIT;
    setenv("C9D_HTTP_LISTEN", "from-env", 1);
    setenv("C9D_MODEL_GPT_4_URL", "http://env", 1);
    setenv("C9D_ELSEWHERE_KEY", "not ours", 1);
    struct config *c = load("[http]\nlisten = file\n[model gpt-4]\n", &err);
    config_declare_instance(c, "model", "gpt-4", openai_keys, countof(openai_keys), &err);
    is_str(config_string(c, "http", NULL, "listen"), "from-env", "the environment wins");
    is_str(config_origin(c, "http", NULL, "listen"), "environment", "and says so");
    is_str(config_string(c, "model", "gpt-4", "url"), "http://env", "also in an instance");
    is_int(config_check(c, &err), 0, "variables of other programs do not matter %s", err.message);
    setenv("C9D_HTTP_LISTENN", "x", 1);
    ok(config_check(c, &err) < 0 && strstr(err.message, "C9D_HTTP_LISTENN is no key of [http]"),
       "but a misspelt key does (%s)", err.message);
    config_free(c);
    unsetenv("C9D_HTTP_LISTENN");
    setenv("C9D_HTTP_THREADS", "1000", 1);
    ok(load("", &err) == NULL, "a wrong value is refused");
    is_str(err.message, "environment: threads = 1000: must be between 1 and 64", "with its place");
    unsetenv("C9D_HTTP_THREADS");
    unsetenv("C9D_HTTP_LISTEN");
    unsetenv("C9D_MODEL_GPT_4_URL");
    unsetenv("C9D_ELSEWHERE_KEY");
}

/* Loads the text and gives the secret of [model m], or NULL with err filled. To be freed. */
static char *secret_of(const char *text, struct error *err)
{
    struct config *c = load(text, err);
    char *secret = NULL;
    if (c != NULL && config_declare_instance(c, "model", "m", openai_keys, 2, err) == 0 &&
        config_check(c, err) == 0)
        secret = xstrdup(config_string(c, "model", "m", "api_key"));
    config_free(c);
    return secret;
}

static void test_secrets(void)
{
    error_auto err = ERROR_INIT;
    put("key", "s3cret\n\n");
    autofree char *beside = secret_of("[model m]\napi_key_file = key\n", &err);
    is_str(beside, "s3cret\n", "a file beside the configuration, one newline cut");
    autofree char *credentials = path_in("credentials");
    mkdir(credentials, 0700);
    put("credentials/key", "from systemd\r\n");
    setenv("CREDENTIALS_DIRECTORY", credentials, 1);
    autofree char *credential = secret_of("[model m]\napi_key_file = key\n", &err);
    is_str(credential, "from systemd", "the credentials folder comes first");
    autofree char *absolute_text = xasprintf("[model m]\napi_key_file = %s/key\n", folder);
    autofree char *absolute = secret_of(absolute_text, &err);
    is_str(absolute, "s3cret\n", "an absolute path is taken as it is");
    unsetenv("CREDENTIALS_DIRECTORY");
    setenv("C9D_MODEL_M_API_KEY_FILE", "key", 1);
    autofree char *env_file = secret_of("[model m]\napi_key = plain\n", &err);
    is_str(env_file, "s3cret\n", "the environment may name the file");
    unsetenv("C9D_MODEL_M_API_KEY_FILE");
    ok(secret_of("[model m]\napi_key_file = none\n", &err) == NULL &&
           strstr(told(&err), "c9d.conf:2: api_key_file: ") != NULL,
       "a file that is missing is told with the line that names it (%s)", told(&err));
    ok(secret_of("[model m]\nurl_file = key\napi_key=x\n", &err) == NULL &&
           strstr(err.message, "[model m] has no key 'url_file'") != NULL,
       "a key that is no secret has no file (%s)", told(&err));
    put("credentials/nul", "");
    autofree char *nul = path_in("credentials/nul");
    FILE *f = fopen(nul, "w");
    fwrite("a\0b", 1, 3, f);
    fclose(f);
    ok(secret_of("[model m]\napi_key_file = credentials/nul\n", &err) == NULL &&
           strstr(err.message, "holds a NUL byte") != NULL,
       "a NUL in a secret is refused");
    put("credentials/empty", "");
    autofree char *empty = secret_of("[model m]\napi_key_file = credentials/empty\n", &err);
    is_str(empty, "", "an empty file is an empty secret");
}

static void test_nearest(void)
{
    static const char *const names[] = {"listen", "timeout", "threads", "max_body"};
    is_str(nearest_name("lisetn", names, 4), "listen", "two neighbours swapped");
    is_str(nearest_name("time_out", names, 4), "timeout", "one too many");
    is_str(nearest_name("thread", names, 4), "threads", "one too few");
    ok(nearest_name("xyz", names, 4) == NULL, "nothing near");
    ok(nearest_name("", names, 4) == NULL, "nothing near nothing");
    ok(nearest_name("x", NULL, 0) == NULL, "no candidates");
    char word[200];
    memset(word, 'x', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    ok(nearest_name(word, names, 4) == NULL, "a very long word is near nothing");
    const char *const wide[] = {word};
    ok(nearest_name("xxxx", wide, 1) == NULL, "nor is a very long candidate near anything");
}

int main(void)
{
    folder = tap_temporary();
    if (mkdtemp(folder) == NULL)
        return 1;
    test_values();
    test_defaults();
    test_refused_syntax();
    test_bounds();
    test_unknown();
    test_instances();
    test_folder();
    test_environment();
    test_secrets();
    test_nearest();
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(folder);
    return done_testing();
}
