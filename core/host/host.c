/* Finds, checks and loads plugins. */
#include "host/host.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/host-private.h"

/* One shared object that was loaded and found good. */
struct loaded {
    struct loaded *next;
    void *handle;
    const struct c9d_plugin *plugin;
};

static const char *const kind_names[] = {
    [C9D_KIND_STORAGE] = "storage", [C9D_KIND_QUEUE] = "queue", [C9D_KIND_MODEL] = "model"};

/* Every function that c9d calls without asking whether it is there, as offsets into the ops. */
#define OP(ops, field)                                                                             \
    {                                                                                              \
        offsetof(struct ops, field), #field                                                        \
    }
struct required_op {
    size_t offset;
    const char *name;
};
static const struct required_op storage_required[] = {OP(c9d_storage_ops, open),
                                                      OP(c9d_storage_ops, close),
                                                      OP(c9d_storage_ops, migrate),
                                                      OP(c9d_storage_ops, query),
                                                      OP(c9d_storage_ops, submit),
                                                      OP(c9d_storage_ops, exclusive),
                                                      {0, NULL}};
static const struct required_op queue_required[] = {
    OP(c9d_queue_ops, open),  OP(c9d_queue_ops, close),
    OP(c9d_queue_ops, claim), OP(c9d_queue_ops, renew),
    OP(c9d_queue_ops, depth), OP(c9d_queue_ops, release),
    OP(c9d_queue_ops, fd),    {0, NULL}};
static const struct required_op queue_of_its_own_required[] = {
    OP(c9d_queue_ops, push), OP(c9d_queue_ops, ack), {0, NULL}};
static const struct required_op model_required[] = {OP(c9d_model_ops, open),
                                                    OP(c9d_model_ops, close),
                                                    OP(c9d_model_ops, request),
                                                    OP(c9d_model_ops, request_free),
                                                    OP(c9d_model_ops, reply_new),
                                                    OP(c9d_model_ops, reply_status),
                                                    OP(c9d_model_ops, reply_header),
                                                    OP(c9d_model_ops, reply_feed),
                                                    OP(c9d_model_ops, reply_end),
                                                    OP(c9d_model_ops, reply_free),
                                                    {0, NULL}};
static const struct required_op *const required_ops[] = {[C9D_KIND_STORAGE] = storage_required,
                                                         [C9D_KIND_QUEUE] = queue_required,
                                                         [C9D_KIND_MODEL] = model_required};

static void plugin_log(const char *plugin, enum c9d_log_level level, const char *message)
{
    static const enum log_level levels[] = {[C9D_LOG_DEBUG] = LOG_LEVEL_DEBUG,
                                            [C9D_LOG_INFO] = LOG_LEVEL_INFO,
                                            [C9D_LOG_WARN] = LOG_LEVEL_WARN,
                                            [C9D_LOG_ERROR] = LOG_LEVEL_ERROR};
    enum log_level at = (size_t)level < countof(levels) ? levels[level] : LOG_LEVEL_ERROR;
    if (log_enabled(at))
        log_write(at, "plugin.log", "%s: %s", plugin, message);
}

struct host *host_new(const char *folders, const char *state_folder)
{
    struct host *host = xcalloc(1, sizeof(*host));
    host->folders = xstrdup(folders);
    host->state_folder = xstrdup(state_folder);
    host->callbacks.log = plugin_log;
    host->callbacks.now = clock_wall_us;
    host->callbacks.state_folder = host->state_folder;
    host_settings_callbacks(&host->callbacks);
    return host;
}

void host_free(struct host *host)
{
    if (host == NULL)
        return;
    while (host->plugins != NULL) {
        struct loaded *loaded = host->plugins;
        host->plugins = loaded->next;
        dlclose(loaded->handle);
        free(loaded);
    }
    host_keys_free(host);
    free(host->folders);
    free(host->state_folder);
    free(host);
}

const struct c9d_host *host_callbacks(struct host *host)
{
    return &host->callbacks;
}

int host_fault(struct error *err, enum error_code failed, const char *who, int status,
               const struct c9d_fault *fault)
{
    enum error_code code = status == C9D_E_CONFLICT ? E_INVALID_STATE : failed;
    const char *message = fault->message[0] != '\0' ? fault->message : "failed without saying why";
    return error_set(err, code, "%s: %s", who, message);
}

/* ---- is the file fit to be loaded ---- */

/* Whoever can write it can run code as us, so that may be root and ourselves only. */
static int writers_check(const char *path, const struct stat *st, struct error *err)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return error_set(err, E_PLUGIN_INVALID,
                         "%s: owned by user %u; must be owned by root or by the user c9d runs as",
                         path, (unsigned)st->st_uid);
    bool group_is_ours = st->st_gid == 0 || st->st_gid == getegid();
    if ((st->st_mode & S_IWOTH) != 0 || ((st->st_mode & S_IWGRP) != 0 && !group_is_ours))
        return error_set(err, E_PLUGIN_INVALID,
                         "%s: writable by others (mode %04o); use `chmod go-w`", path,
                         (unsigned)(st->st_mode & 07777));
    return 0;
}

/* Checks the file and the folder it really stands in, since who writes there can swap the file. */
static int file_check(const char *path, struct error *err)
{
    struct stat st;
    autofree char *real = realpath(path, NULL);
    if (real == NULL || stat(real, &st) < 0)
        return error_errno(err, E_PLUGIN_INVALID, "%s", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, E_PLUGIN_INVALID, "%s: not a file", path);
    if (writers_check(path, &st, err) < 0)
        return -1;
    char *slash = strrchr(real, '/');
    *(slash == real ? slash + 1 : slash) = '\0';
    if (stat(real, &st) < 0)
        return error_errno(err, E_PLUGIN_INVALID, "%s", real);
    return writers_check(real, &st, err);
}

/* The loader maps what the headers say and dies of SIGBUS where the file ends before that: a copy
 * that was cut short is found here. Whether it is a shared object at all, dlopen says. */
static int whole_check(const char *path, struct error *err)
{
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    ElfW(Ehdr) header;
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_errno(err, E_PLUGIN_INVALID, "%s", path);
    if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return error_set(err, E_PLUGIN_INVALID, "%s: not a shared object", path);
    for (unsigned i = 0; i < header.e_phnum; i++) {
        ElfW(Phdr) part;
        off_t at = (off_t)(header.e_phoff + i * sizeof(part));
        if (pread(fd, &part, sizeof(part), at) != sizeof(part) ||
            (part.p_type == PT_LOAD && (part.p_offset > (ElfW(Off))st.st_size ||
                                        part.p_filesz > (ElfW(Off))st.st_size - part.p_offset)))
            return error_set(err, E_PLUGIN_INVALID,
                             "%s: the file is cut short; install the plugin again", path);
    }
    return 0;
}

/* ---- is the descriptor one of ours ---- */

static int ops_check(const char *path, const struct required_op *row, const void *ops,
                     struct error *err)
{
    for (; row->name != NULL; row++) {
        void *function;
        memcpy(&function, (const char *)ops + row->offset, sizeof(function));
        if (function == NULL)
            return error_set(err, E_PLUGIN_INVALID, "%s: the operation '%s' is missing", path,
                             row->name);
    }
    return 0;
}

static int descriptor_check(const char *path, const char *name, const struct c9d_plugin *plugin,
                            struct error *err)
{
    if (plugin->abi != C9D_ABI)
        return error_set(
            err, E_PLUGIN_INVALID,
            "%s: plugin ABI %u found, %u wanted; install the plugin built for this c9d", path,
            plugin->abi, C9D_ABI);
    if (plugin->kind >= countof(kind_names) || kind_names[plugin->kind] == NULL)
        return error_set(err, E_PLUGIN_INVALID, "%s: unknown kind of plugin %u", path,
                         plugin->kind);
    if (plugin->name == NULL || strcmp(plugin->name, name) != 0)
        return error_set(err, E_PLUGIN_INVALID,
                         "%s: plugin '%s' found, '%s' wanted; was the file renamed?", path,
                         plugin->name != NULL ? plugin->name : "", name);
    if (plugin->version == NULL || plugin->description == NULL || plugin->ops.any == NULL)
        return error_set(err, E_PLUGIN_INVALID, "%s: the descriptor is not complete", path);
    if (ops_check(path, required_ops[plugin->kind], plugin->ops.any, err) < 0)
        return -1;
    if (plugin->kind == C9D_KIND_QUEUE && !plugin->ops.queue->rows_are_jobs)
        return ops_check(path, queue_of_its_own_required, plugin->ops.any, err);
    return 0;
}

/* ---- loading ---- */

static const struct c9d_plugin *plugin_load(struct host *host, const char *path, const char *name,
                                            struct error *err)
{
    for (struct loaded *l = host->plugins; l != NULL; l = l->next)
        if (strcmp(l->plugin->name, name) == 0)
            return l->plugin;
    if (file_check(path, err) < 0 || whole_check(path, err) < 0)
        return NULL;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        const char *why = dlerror();
        /* The loader's message usually names the file already. */
        bool named = strncmp(why, path, strlen(path)) == 0;
        error_set(err, E_PLUGIN_INVALID, "%s%scannot be loaded: %s", named ? "" : path,
                  named ? "" : ": ", why);
        return NULL;
    }
    const struct c9d_plugin *plugin = dlsym(handle, "c9d_plugin");
    if (plugin == NULL) {
        error_set(err, E_PLUGIN_INVALID, "%s: not a plugin of c9d: no symbol 'c9d_plugin'", path);
    } else if (descriptor_check(path, name, plugin, err) == 0) {
        struct loaded *loaded = xcalloc(1, sizeof(*loaded));
        *loaded = (struct loaded){host->plugins, handle, plugin};
        host->plugins = loaded;
        return plugin;
    }
    dlclose(handle);
    return NULL;
}

/* Calls fn for each folder of the list until it returns non-zero; returns that. */
static int folders_each(const struct host *host, int (*fn)(void *arg, const char *folder),
                        void *arg)
{
    autofree char *folders = xstrdup(host->folders);
    char *rest = folders, *folder;
    while ((folder = strsep(&rest, ":")) != NULL) {
        int stop = folder[0] != '\0' ? fn(arg, folder) : 0;
        if (stop != 0)
            return stop;
    }
    return 0;
}

struct search {
    const char *name;
    char *path; /* the first that exists */
};

static int search_folder(void *arg, const char *folder)
{
    struct search *search = arg;
    autofree char *path = xasprintf("%s/%s.so", folder, search->name);
    if (access(path, F_OK) < 0)
        return 0;
    search->path = move_ptr(&path);
    return 1;
}

static bool name_valid(const char *name)
{
    return name[0] != '\0' && strlen(name) <= NAME_MAX - 3 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

const struct c9d_plugin *host_plugin(struct host *host, const char *name, enum c9d_kind kind,
                                     struct error *err)
{
    if (!name_valid(name)) {
        error_set(err, E_PLUGIN_INVALID,
                  "'%s' is no name of a plugin (lower-case letters, digits and '_')", name);
        return NULL;
    }
    struct search search = {name, NULL};
    folders_each(host, search_folder, &search);
    autofree char *path = search.path;
    if (path == NULL) {
        error_set(err, E_PLUGIN_INVALID,
                  "%s.so: no such plugin in %s; `c9d plugins` lists what is there", name,
                  host->folders);
        return NULL;
    }
    const struct c9d_plugin *plugin = plugin_load(host, path, name, err);
    if (plugin != NULL && plugin->kind != (uint32_t)kind) {
        error_set(err, E_PLUGIN_INVALID, "%s: a %s plugin found, a %s plugin wanted", path,
                  kind_names[plugin->kind], kind_names[kind]);
        return NULL;
    }
    return plugin;
}

/* ---- listing ---- */

struct listing {
    struct host *host;
    void (*fn)(void *arg, const char *file, const struct c9d_plugin *plugin,
               const struct error *why_not);
    void *arg;
};

static int shared_object(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 3 && strcmp(entry->d_name + len - 3, ".so") == 0;
}

static int list_folder(void *arg, const char *folder)
{
    struct listing *listing = arg;
    struct dirent **entries;
    int n = scandir(folder, &entries, shared_object, alphasort);
    for (int i = 0; i < n; i++) {
        const char *file = entries[i]->d_name;
        autofree char *path = xasprintf("%s/%s", folder, file);
        autofree char *name = xstrndup(file, strlen(file) - 3);
        error_auto err = ERROR_INIT;
        const struct c9d_plugin *plugin = plugin_load(listing->host, path, name, &err);
        listing->fn(listing->arg, path, plugin, plugin != NULL ? NULL : &err);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return 0;
}

void host_list(struct host *host,
               void (*fn)(void *arg, const char *file, const struct c9d_plugin *plugin,
                          const struct error *why_not),
               void *arg)
{
    struct listing listing = {host, fn, arg};
    folders_each(host, list_folder, &listing);
}
