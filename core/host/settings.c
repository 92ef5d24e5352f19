/* A plugin's settings: its table becomes keys of a section, its values come from there. */
#include <string.h>

#include "base/cleanup.h"
#include "host/host-private.h"

/* The configuration borrows declared keys, so that the host keeps them; a configuration that is
 * loaded anew finds those of the same section again. */
struct key_table {
    struct key_table *next;
    const struct c9d_plugin *plugin;
    char *section, *instance; /* instance may be NULL */
    struct config_key *keys;
    size_t n;
};

struct c9d_settings {
    const struct config *config;
    const struct key_table *table;
};

static const enum config_type types[] = {
    [C9D_TYPE_STRING] = CONFIG_STRING, [C9D_TYPE_INT] = CONFIG_INT,
    [C9D_TYPE_BOOL] = CONFIG_BOOL,     [C9D_TYPE_DURATION] = CONFIG_DURATION,
    [C9D_TYPE_SIZE] = CONFIG_SIZE,     [C9D_TYPE_SECRET] = CONFIG_SECRET};

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static struct key_table *table_find(const struct host *host, const struct c9d_plugin *plugin,
                                    const char *section, const char *instance)
{
    struct key_table *table = host->keys;
    while (table != NULL && (table->plugin != plugin || !same_text(table->section, section) ||
                             !same_text(table->instance, instance)))
        table = table->next;
    return table;
}

static struct key_table *table_new(struct host *host, const struct c9d_plugin *plugin,
                                   const char *section, const char *instance)
{
    struct key_table *table = xcalloc(1, sizeof(*table));
    table->plugin = plugin;
    table->section = xstrdup(section);
    table->instance = xstrdup_or_null(instance);
    const struct c9d_setting *settings = plugin->settings;
    size_t n = 0;
    while (settings != NULL && settings[n].name != NULL)
        n++;
    table->n = n;
    table->keys = xcalloc(n + 1, sizeof(*table->keys));
    for (size_t i = 0; i < n; i++) {
        const struct c9d_setting *setting = &settings[i];
        bool known = (size_t)setting->type < countof(types);
        table->keys[i] = (struct config_key){.section = table->section,
                                             .key = setting->name,
                                             .otherwise = setting->otherwise,
                                             .type = known ? types[setting->type] : CONFIG_STRING,
                                             .help = setting->help};
    }
    table->next = host->keys;
    host->keys = table;
    return table;
}

void host_keys_free(struct host *host)
{
    while (host->keys != NULL) {
        struct key_table *table = host->keys;
        host->keys = table->next;
        free(table->section);
        free(table->instance);
        free(table->keys);
        free(table);
    }
}

/* Required ones that neither the configuration nor a default gives. */
static int required_check(const struct config *config, const struct key_table *table,
                          struct error *err)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct c9d_setting *setting = &table->plugin->settings[i];
        if (!setting->required || setting->otherwise != NULL)
            continue;
        if (config_string(config, table->section, table->instance, setting->name) == NULL)
            return error_set(err, E_CONFIG_INVALID, "[%s%s%s] %s is missing; %s needs it: %s",
                             table->section, table->instance != NULL ? " " : "",
                             table->instance != NULL ? table->instance : "", setting->name,
                             table->plugin->name, setting->help != NULL ? setting->help : "");
    }
    return 0;
}

struct c9d_settings *host_settings(struct host *host, struct config *config, const char *section,
                                   const char *instance, const struct c9d_plugin *plugin,
                                   struct error *err)
{
    struct key_table *table = table_find(host, plugin, section, instance);
    if (table == NULL)
        table = table_new(host, plugin, section, instance);
    int declared = instance == NULL ? config_declare(config, table->keys, table->n, err)
                                    : config_declare_instance(config, section, instance,
                                                              table->keys, table->n, err);
    if (declared < 0 || required_check(config, table, err) < 0)
        return NULL;
    struct c9d_settings *settings = xcalloc(1, sizeof(*settings));
    *settings = (struct c9d_settings){config, table};
    return settings;
}

void host_settings_free(struct c9d_settings *settings)
{
    free(settings);
}

/* A name outside the plugin's own table is as if not given: the configuration does not know it. */
static const struct config_key *setting_find(const struct c9d_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->table->n; i++)
        if (strcmp(settings->table->keys[i].key, name) == 0)
            return &settings->table->keys[i];
    return NULL;
}

static const char *setting_text(const struct c9d_settings *settings, const char *name)
{
    const struct key_table *table = settings->table;
    if (setting_find(settings, name) == NULL)
        return NULL;
    return config_string(settings->config, table->section, table->instance, name);
}

static int64_t setting_int(const struct c9d_settings *settings, const char *name)
{
    const struct key_table *table = settings->table;
    const struct config_key *key = setting_find(settings, name);
    if (key == NULL)
        return 0;
    switch (key->type) {
    case CONFIG_BOOL:
        return config_bool(settings->config, table->section, table->instance, name);
    case CONFIG_INT:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        return config_int(settings->config, table->section, table->instance, name);
    default:
        return 0;
    }
}

void host_settings_callbacks(struct c9d_host *callbacks)
{
    callbacks->setting_text = setting_text;
    callbacks->setting_int = setting_int;
}
