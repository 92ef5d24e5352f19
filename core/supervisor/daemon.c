#include "supervisor/daemon.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "api/http.h"
#include "base/log.h"
#include "base/paths.h"
#include "store/store.h"
#include "supervisor/guard.h"
#include "supervisor/retention.h"
#include "supervisor/scheduler.h"
#include "supervisor/secrets.h"

static int declare_core(struct daemon *d, struct error *err)
{
    const struct config_key keys[] = {
        {"daemon", "state", CONFIG_STRING, C9_STATEDIR "/c9d", 0, 0, NULL,
         "Folder of the database and whatever plugins keep."},
        {"daemon", "plugins", CONFIG_STRING, path_beside("plugins", C9_PLUGINDIR), 0, 0, NULL,
         "Folders of plugins, separated by colons."},
        {"sandbox", "zygote", CONFIG_STRING, path_beside("c9d-zygote", C9_LIBEXECDIR "/c9d-zygote"),
         0, 0, NULL, "The program that forks executors."},
        {"storage", "plugin", CONFIG_STRING, "sqlite", 0, 0, NULL,
         "Where everything is kept: storage_NAME.so."},
        {"queue", "plugin", CONFIG_STRING, "store", 0, 0, NULL,
         "What hands out executions: queue_NAME.so."},
        {"log", "level", CONFIG_CHOICE, "info", 0, 0, "debug|info|warn|error",
         "The least level that is logged."},
        {"log", "format", CONFIG_CHOICE, "text", 0, 0, "text|json",
         "How records are written to standard error."},
    };
    d->keys = xmalloc(sizeof(keys));
    memcpy(d->keys, keys, sizeof(keys));
    return config_declare(d->config, d->keys, countof(keys), err);
}

static void apply_log(const struct config *config)
{
    enum log_level level = LOG_LEVEL_INFO;
    log_level_parse(config_string(config, "log", NULL, "level"), &level);
    log_setup(level, strcmp(config_string(config, "log", NULL, "format"), "json") == 0
                         ? LOG_FORMAT_JSON
                         : LOG_FORMAT_TEXT);
}

static int configure(struct daemon *d, const char *path, struct error *err)
{
    d->config = config_load(path, err);
    if (d->config == NULL)
        return -1;
    static const struct {
        const struct config_key *keys;
        const size_t *n;
    } tables[] = {{executors_keys, &executors_keys_n},
                  {engine_keys, &engine_keys_n},
                  {guard_keys, &guard_keys_n},
                  {retention_keys, &retention_keys_n}};
    static int (*const declarations[])(struct config *, struct error *) = {
        service_config_declare, http_config_declare, secrets_declare};
    int status = declare_core(d, err);
    for (size_t i = 0; i < countof(tables); i++)
        if (config_declare(d->config, tables[i].keys, *tables[i].n, err) < 0)
            status = -1;
    for (size_t i = 0; i < countof(declarations); i++)
        if (declarations[i](d->config, err) < 0)
            status = -1;
    return status;
}

int daemon_configure(struct daemon *d, const char *path, struct error *err)
{
    if (configure(d, path, err) < 0)
        return -1;
    apply_log(d->config);
    return 0;
}

/* As many descriptors as may be had: each execution that waits costs one. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        log_warn("daemon.descriptors", "setrlimit: %s", strerror(errno));
}

int daemon_open_sandbox(struct daemon *d, struct error *err)
{
    raise_descriptors();
    d->executors = executors_new(d->config, config_string(d->config, "sandbox", NULL, "zygote"),
                                 executors_strict(d->config),
                                 config_int(d->config, "limits", NULL, "memory_max"), NULL, err);
    return d->executors != NULL ? 0 : -1;
}

static int make_folder(const char *path, struct error *err)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    return error_errno(err, E_CONFIG_INVALID, "cannot make the state folder %s ([daemon] state)",
                       path);
}

static char *storage_plugin(const struct daemon *d)
{
    return xasprintf("storage_%s", config_string(d->config, "storage", NULL, "plugin"));
}

int daemon_backup_storage(struct daemon *d, const char *path, struct error *err)
{
    d->host = host_new(config_string(d->config, "daemon", NULL, "plugins"),
                       config_string(d->config, "daemon", NULL, "state"));
    autofree char *name = storage_plugin(d);
    return storage_backup(d->host, d->config, name, path, err);
}

int daemon_open_storage(struct daemon *d, struct error *err)
{
    const char *state = config_string(d->config, "daemon", NULL, "state");
    if (make_folder(state, err) < 0)
        return -1;
    d->host = host_new(config_string(d->config, "daemon", NULL, "plugins"), state);
    autofree char *name = storage_plugin(d);
    d->storage = storage_open(d->host, d->config, name, err);
    if (d->storage == NULL)
        return -1;
    return store_migrate(d->storage, err);
}

static int open_models(struct daemon *d, struct error *err)
{
    const char *names[DAEMON_MODELS_MAX];
    size_t n = config_instances(d->config, "model", names, countof(names));
    for (size_t i = 0; i < n; i++) {
        d->models[i] = model_open(d->host, d->config, names[i], err);
        if (d->models[i] == NULL)
            return error_wrap(err, "[model %s]", names[i]);
        d->n_models++;
    }
    return 0;
}

/* Executions that are put off, tried again or slept are rows that nobody pushes. */
static int queue_require_rows(const struct daemon *d, bool rows_are_jobs, struct error *err)
{
    if (rows_are_jobs)
        return 0;
    return error_set(err, E_CONFIG_INVALID,
                     "%s: [queue] plugin = %s takes its jobs from elsewhere than the store's rows, "
                     "where c9d leaves them; use store",
                     config_origin(d->config, "queue", NULL, "plugin"),
                     config_string(d->config, "queue", NULL, "plugin"));
}

int daemon_open_models(struct daemon *d, struct error *err)
{
    if (open_models(d, err) < 0)
        return -1;
    autofree char *queue = xasprintf("queue_%s", config_string(d->config, "queue", NULL, "plugin"));
    d->queue = queue_open(d->host, d->config, queue, d->storage, err);
    return d->queue != NULL ? queue_require_rows(d, queue_rows_are_jobs(d->queue), err) : -1;
}

int daemon_open_engine(struct daemon *d, struct error *err)
{
    const char *names[DAEMON_MODELS_MAX];
    d->service = service_new(d->storage, d->config, err);
    if (d->service == NULL)
        return -1;
    for (size_t i = 0; i < d->n_models; i++)
        names[i] = model_name(d->models[i]);
    service_set_models(d->service, names, d->n_models);
    struct engine_parts parts = {
        .config = d->config,
        .storage = d->storage,
        .queue = d->queue,
        .service = d->service,
        .executors = move_ptr(&d->executors),
        .models = d->models,
        .n_models = d->n_models,
    };
    d->engine = engine_new(&parts, err);
    if (d->engine == NULL)
        return -1;
    service_attach_engine(d->service, &engine_ops, d->engine);
    if (engine_start(d->engine, err) < 0)
        return -1;
    d->scheduler = scheduler_start(d->service, err);
    if (d->scheduler == NULL)
        return -1;
    d->retention = retention_start(d->storage, d->config, err);
    return d->retention != NULL ? 0 : -1;
}

int daemon_open_http(struct daemon *d, struct error *err)
{
    d->http = http_server_new(d->service, d->config, err);
    return d->http != NULL ? http_server_start(d->http, err) : -1;
}

/* Plugins say which keys they have, so they are loaded; nothing is opened. */
int daemon_declare_plugins(struct daemon *d, struct error *err)
{
    static const struct {
        const char *section;
        enum c9d_kind kind;
    } plain[] = {{"storage", C9D_KIND_STORAGE}, {"queue", C9D_KIND_QUEUE}};
    d->host = host_new(config_string(d->config, "daemon", NULL, "plugins"),
                       config_string(d->config, "daemon", NULL, "state"));
    for (size_t i = 0; i < countof(plain); i++) {
        autofree char *name = xasprintf("%s_%s", plain[i].section,
                                        config_string(d->config, plain[i].section, NULL, "plugin"));
        const struct c9d_plugin *plugin = host_plugin(d->host, name, plain[i].kind, err);
        struct c9d_settings *settings =
            plugin != NULL ? host_settings(d->host, d->config, plain[i].section, NULL, plugin, err)
                           : NULL;
        if (settings == NULL)
            return -1;
        host_settings_free(settings);
        if (plain[i].kind == C9D_KIND_QUEUE &&
            queue_require_rows(d, plugin->ops.queue->rows_are_jobs != 0, err) < 0)
            return -1;
    }
    return open_models(d, err);
}

int daemon_check_config(struct daemon *d, struct error *err)
{
    return config_check(d->config, err);
}

void daemon_reload(struct daemon *d, const char *path)
{
    error_auto err = ERROR_INIT;
    struct daemon fresh = {0};
    (void)d;
    /* Everything is checked like at the start; what cannot change while running is left as it is.
     */
    if (configure(&fresh, path, &err) < 0 || daemon_declare_plugins(&fresh, &err) < 0 ||
        daemon_check_config(&fresh, &err) < 0) {
        log_error("daemon.reload", "nothing was changed: %s", err.message);
    } else {
        apply_log(fresh.config);
        log_info("daemon.reload",
                 "the log's level and format are in force; anything else needs a restart");
    }
    daemon_close(&fresh);
}

void daemon_close(struct daemon *d)
{
    if (d->http != NULL)
        http_server_drain(d->http);
    if (d->engine != NULL)
        engine_drain(d->engine);
    http_server_stop(d->http); /* nobody is left who could wake the scheduler */
    scheduler_stop(d->scheduler);
    retention_stop(d->retention);
    if (d->engine != NULL)
        engine_stop(d->engine);
    service_stop(d->service);
    queue_close(d->queue);
    storage_close(d->storage); /* its last completions are posted to the engine's loop, which is
                                  still there */
    engine_free(d->engine);
    executors_free(d->executors);
    service_free(d->service);
    for (size_t i = 0; i < d->n_models; i++)
        model_close(d->models[i]);
    config_free(d->config); /* plugins' keys are the host's */
    host_free(d->host);
    free(d->keys);
    *d = (struct daemon){0};
}
