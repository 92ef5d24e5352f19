/* Plugins that cannot be used: one clear line each, never a crash. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "host/queue.h"
#include "host/storage.h"
#include "tap.h"

static char *folder;
static char *folders; /* bad plugins, our folder, the real ones */

static const char *build_folder(void)
{
    const char *build = getenv("C9_BUILD");
    return build != NULL ? build : "build";
}

static struct host *host_make(void)
{
    return host_new(folders, folder);
}

static struct config *config_make(const char *text)
{
    autofree char *path = xasprintf("%s/test.conf", folder);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
    error_auto err = ERROR_INIT;
    struct config *config = config_load(path, &err);
    if (config == NULL)
        printf("Bail out! %s\n", err.message), exit(1);
    return config;
}

/* Copies a file of the build into our folder under a name, at most `limit` bytes of it. */
static void file_copy(const char *from, const char *name, size_t limit, mode_t mode)
{
    autofree char *source = xasprintf("%s/%s", build_folder(), from);
    autofree char *target = xasprintf("%s/%s", folder, name);
    autofile FILE *in = fopen(source, "rb");
    autofile FILE *out = fopen(target, "wb");
    for (int c; in != NULL && out != NULL && limit > 0 && (c = fgetc(in)) != EOF; limit--)
        fputc(c, out);
    if (in == NULL || out == NULL || chmod(target, mode) < 0)
        printf("Bail out! cannot copy %s: %s\n", source, strerror(errno)), exit(1);
}

/* One line that holds each of the words (separated by '|'). */
static void refused(const char *name, enum c9d_kind kind, const char *words, const char *what)
{
    struct host *host = host_make();
    error_auto err = ERROR_INIT;
    const struct c9d_plugin *plugin = host_plugin(host, name, kind, &err);
    bool all = plugin == NULL && err.code == E_PLUGIN_INVALID && strchr(err.message, '\n') == NULL;
    autofree char *rest = xstrdup(words);
    for (char *at = rest, *word; (word = strsep(&at, "|")) != NULL;)
        all = all && strstr(err.message, word) != NULL;
    if (!ok(all, "%s", what))
        note("'%s' wants each of '%s'", err.message, words);
    host_free(host);
}

static void test_refusals(void)
{
    refused("nowhere", C9D_KIND_STORAGE, "nowhere.so|c9d plugins", "a missing file");
    refused("../etc/passwd", C9D_KIND_STORAGE, "no name of a plugin", "a path as a name");
    refused("", C9D_KIND_STORAGE, "no name of a plugin", "an empty name");
    refused("other_abi", C9D_KIND_STORAGE, "other_abi.so|11 found|5 wanted",
            "another ABI: nothing else of it is looked at");
    refused("no_symbol", C9D_KIND_STORAGE, "no_symbol.so|c9d_plugin", "no symbol");
    refused("queue_hollow", C9D_KIND_QUEUE, "queue_hollow.so|'open'", "operations missing");
    refused("queue_store", C9D_KIND_STORAGE, "queue_store.so|a queue plugin found|a storage plugin",
            "another kind");
    file_copy("plugins/queue_store.so", "renamed.so", SIZE_MAX, 0644);
    refused("renamed", C9D_KIND_QUEUE, "renamed.so|'queue_store' found", "a renamed file");
    file_copy("plugins/queue_store.so", "loose.so", SIZE_MAX, 0666);
    refused("loose", C9D_KIND_QUEUE, "loose.so|writable by others|chmod",
            "a file others may write");
    file_copy("plugins/queue_store.so", "short.so", 5000, 0644);
    refused("short", C9D_KIND_QUEUE, "short.so|cut short", "a file that was cut short");
    file_copy("plugins/queue_store.so", "empty.so", 0, 0644);
    refused("empty", C9D_KIND_QUEUE, "empty.so|not a shared object", "an empty file");
    file_copy("tests/unit/host_plugin.o", "object.so", SIZE_MAX, 0644);
    refused("object", C9D_KIND_QUEUE, "object.so|cannot be loaded", "an object file");
    autofree char *dir = xasprintf("%s/adir.so", folder);
    mkdir(dir, 0755);
    refused("adir", C9D_KIND_QUEUE, "adir.so|not a file", "a folder");
    if (geteuid() == 0) {
        file_copy("plugins/queue_store.so", "foreign.so", SIZE_MAX, 0644);
        autofree char *path = xasprintf("%s/foreign.so", folder);
        ok(chown(path, 12345, 0) == 0, "a file is given away");
        refused("foreign", C9D_KIND_QUEUE, "foreign.so|owned by user 12345",
                "a file of another user");
    } else {
        skip("not root", "a file of another user");
    }
    chmod(folder, 0777);
    file_copy("plugins/queue_store.so", "queue_store.so", SIZE_MAX, 0644);
    struct host *host = host_new(folder, folder);
    error_auto err = ERROR_INIT;
    ok(host_plugin(host, "queue_store", C9D_KIND_QUEUE, &err) == NULL &&
           strstr(err.message, "writable by others") != NULL,
       "a good file in a folder others may write");
    chmod(folder, 0700);
    host_free(host);
}

static void storage_refused(const char *text, enum error_code code, const char *want,
                            const char *what)
{
    struct host *host = host_make();
    struct config *config = config_make(text);
    error_auto err = ERROR_INIT;
    struct storage *storage = storage_open(host, config, "storage_refusing", &err);
    ok(storage == NULL, "%s: refused", what);
    is_int(err.code, code, "%s: the code", what);
    if (!ok(strstr(err.message, want) != NULL, "%s: the message", what))
        note("'%s' wants '%s'", err.message, want);
    config_free(config);
    host_free(host);
}

static void test_settings(void)
{
    storage_refused("[storage]\n", E_CONFIG_INVALID, "[storage] address is missing",
                    "a required setting");
    storage_refused("[storage]\naddress = a\nsize = many\n", E_CONFIG_INVALID, "size",
                    "a wrong value");
    storage_refused("[storage]\naddress = there\n", E_STORAGE_FAILED,
                    "storage_refusing: cannot reach the database: there, size 2048, wait 3000000, "
                    "loud 1",
                    "open fails, with the defaults");
    storage_refused("[storage]\naddress = there\nsize = 1MiB\nwait = 2m\nloud = off\n",
                    E_STORAGE_FAILED, "there, size 1048576, wait 120000000, loud 0",
                    "open fails, with values");
    struct host *host = host_make();
    struct config *config = config_make("[storage]\npath = :memory:\ncache_siz = 1MiB\n");
    error_auto err = ERROR_INIT;
    struct storage *storage = storage_open(host, config, "storage_sqlite", &err);
    ok(storage != NULL, "an unknown setting is found by the check, not by open");
    ok(config_check(config, &err) < 0 && strstr(err.message, "cache_size") != NULL &&
           strstr(err.message, ":3") != NULL,
       "an unknown setting: line and nearest name: %s", err.message);
    storage_close(storage);
    config_free(config);

    config = config_make("[storage]\npath = :memory:\n");
    storage = storage_open(host, config, "storage_sqlite", &err);
    ok(storage != NULL, "the same host takes a configuration loaded anew");
    storage_close(storage);
    config_free(config);
    host_free(host);
}

static void test_queue_without_storage(void)
{
    struct host *host = host_make();
    error_auto err = ERROR_INIT;
    struct config *config = config_make("");
    ok(queue_open(host, config, "queue_store", NULL, &err) == NULL, "queue_store wants a storage");
    ok(strstr(err.message, "needs a storage") != NULL, "and says so: %s", err.message);
    config_free(config);
    host_free(host);
}

struct listed {
    int good, bad;
    bool sqlite;
};

static void list_one(void *arg, const char *file, const struct c9d_plugin *plugin,
                     const struct error *why_not)
{
    struct listed *listed = arg;
    if (plugin != NULL && strcmp(plugin->name, "storage_sqlite") == 0)
        listed->sqlite = true;
    if (plugin != NULL)
        listed->good++;
    else if (why_not != NULL && strstr(why_not->message, file) != NULL)
        listed->bad++;
}

static void test_list(void)
{
    struct host *host = host_make();
    struct listed listed = {0};
    host_list(host, list_one, &listed);
    ok(listed.good >= 3 && listed.sqlite, "the list shows the %d that can be used", listed.good);
    ok(listed.bad >= 8, "and the %d that cannot, each with its file and reason", listed.bad);
    error_auto err = ERROR_INIT;
    const struct c9d_plugin *first = host_plugin(host, "storage_sqlite", C9D_KIND_STORAGE, &err);
    ok(first != NULL && first == host_plugin(host, "storage_sqlite", C9D_KIND_STORAGE, &err),
       "a plugin is loaded once");
    host_free(host);
}

int main(void)
{
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    folder = tap_temporary();
    if (mkdtemp(folder) == NULL)
        return 1;
    folders = xasprintf("%s/tests/plugins:%s:/nonexistent::%s/plugins", build_folder(), folder,
                        build_folder());
    test_refusals();
    test_settings();
    test_queue_without_storage();
    test_list();
    free(folders);
    autofree char *clean = xasprintf("rm -rf %s", folder);
    free(folder);
    return system(clean) != 0 || done_testing();
}
