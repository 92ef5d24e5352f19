/* The configuration: what was given, what was declared, and what is in force. */
#include "base/config-private.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/nearest.h"
#include "base/utf8.h"

/* ---- loading ---- */

static int is_conf(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int folder_read(struct config *config, struct error *err)
{
    autofree char *folder = xasprintf("%s/conf.d", config->folder);
    struct dirent **names = NULL;
    int n = scandir(folder, &names, is_conf, by_bytes);
    if (n < 0 && errno == ENOENT)
        return 0;
    if (n < 0)
        return error_errno(err, E_CONFIG_INVALID, "%s: cannot list", folder);
    int rc = 0;
    if (n > CONFIG_FILES_MAX)
        rc = error_set(err, E_CONFIG_INVALID, "%s: more than %d files", folder, CONFIG_FILES_MAX);
    for (int i = 0; i < n; i++) {
        autofree char *path = xasprintf("%s/%s", folder, names[i]->d_name);
        if (rc == 0)
            rc = config_file_read(config, path, err);
        free(names[i]);
    }
    free(names);
    return rc;
}

struct config *config_load(const char *path, struct error *err)
{
    struct config *config = xcalloc(1, sizeof(*config));
    if (path == NULL)
        return config;
    const char *slash = strrchr(path, '/');
    config->folder = slash == NULL ? xstrdup(".") : xstrndup(path, (size_t)(slash - path));
    if (config_file_read(config, path, err) < 0 || folder_read(config, err) < 0) {
        config_free(config);
        return NULL;
    }
    return config;
}

/* The text may be a secret: it does not stay in freed memory. */
static void text_free(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->n_values; i++) {
        free(config->values[i].section);
        free(config->values[i].instance);
        text_free(config->values[i].text);
        free(config->values[i].origin);
    }
    for (size_t i = 0; i < config->n_entries; i++) {
        free(config->entries[i].key);
        text_free(config->entries[i].text);
    }
    for (size_t i = 0; i < config->n_sections; i++) {
        free(config->sections[i]->name);
        free(config->sections[i]->instance);
        free(config->sections[i]);
    }
    for (size_t i = 0; i < config->n_files; i++)
        free(config->files[i]);
    free(config->values);
    free(config->entries);
    free(config->sections);
    free(config->files);
    free(config->folder);
    json_decref(config->problems.rows);
    free(config);
}

/* ---- problems ---- */

struct place {
    const char *file; /* or "environment", or "default" */
    int line;         /* 0: none */
    const char *section, *instance, *key;
};

static char *place_text(const char *file, int line)
{
    return line > 0 ? xasprintf("%s:%d", file, line) : xstrdup(file);
}

static char *section_text(const char *section, const char *instance)
{
    return xasprintf("[%s%s%s]", section, instance != NULL ? " " : "",
                     instance != NULL ? instance : "");
}

__attribute__((format(printf, 3, 4))) static void
problem_add(struct config *config, const struct place *at, const char *fmt, ...)
{
    struct config_problems *problems = &config->problems;
    char text[sizeof(problems->first) / 2];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    text[utf8_cut(text, strlen(text), sizeof(text) - 4)] = '\0';
    autofree char *place = place_text(at->file, at->line);
    autofree char *section = section_text(at->section, at->instance);
    if (problems->rows == NULL) {
        problems->rows = json_array();
        snprintf(problems->first, sizeof(problems->first), "%s: %s", place, text);
    }
    json_t *row = json_object();
    json_object_set_new(row, "file", jx_text(at->file, strlen(at->file)));
    json_object_set_new(row, "line", json_integer(at->line));
    json_object_set_new(row, "section", json_string(section));
    json_object_set_new(row, "key", jx_text(at->key, strlen(at->key)));
    json_object_set_new(row, "message", jx_text(text, strlen(text)));
    json_array_append_new(problems->rows, row);
}

static size_t problems_count(const struct config *config)
{
    return json_array_size(config->problems.rows);
}

/* 0 when none came after the first `before`; else -1 with all there are. */
static int problems_raise(const struct config *config, size_t before, struct error *err)
{
    const struct config_problems *problems = &config->problems;
    size_t n = problems_count(config);
    if (n == before)
        return 0;
    if (n == 1)
        error_set(err, E_CONFIG_INVALID, "%s", problems->first);
    else
        error_set(err, E_CONFIG_INVALID, "%s (and %zu more)", problems->first, n - 1);
    error_detail(err, "problems", json_copy(problems->rows));
    return -1;
}

/* ---- declaring ---- */

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* C9D_SECTION_INSTANCE_KEY; more is "" or "_file". */
static char *env_name(const char *section, const char *instance, const char *key, const char *more)
{
    char *name = xasprintf("C9D_%s%s%s_%s%s", section, instance != NULL ? "_" : "",
                           instance != NULL ? instance : "", key, more);
    for (char *p = name; *p != '\0'; p++)
        *p = isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p) : '_';
    return name;
}

static bool is_file_key(const char *given, const char *key)
{
    size_t len = strlen(key);
    return strncmp(given, key, len) == 0 && strcmp(given + len, "_file") == 0;
}

/* What was given for a key, before it is checked. */
struct given {
    struct place at;
    const char *text; /* NULL: nothing */
    bool is_file;     /* text names the file that holds the value */
};

static struct given given_in_env(const struct config_value *value)
{
    const struct config_key *row = value->row;
    struct given given = {.at = {.file = "environment"}};
    autofree char *name = env_name(value->section, value->instance, row->key, "");
    given.text = getenv(name);
    if (given.text == NULL && row->type == CONFIG_SECRET) {
        autofree char *file_name = env_name(value->section, value->instance, row->key, "_file");
        given.text = getenv(file_name);
        given.is_file = true;
    }
    return given;
}

static bool entry_matches(const struct config_entry *entry, const struct config_value *value,
                          bool *is_file_r)
{
    if (strcmp(entry->section->name, value->section) != 0 ||
        !same_text(entry->section->instance, value->instance))
        return false;
    *is_file_r = value->row->type == CONFIG_SECRET && is_file_key(entry->key, value->row->key);
    return *is_file_r || strcmp(entry->key, value->row->key) == 0;
}

static struct given given_find(const struct config *config, const struct config_value *value)
{
    struct given given = given_in_env(value);
    for (size_t i = config->n_entries; i-- > 0 && given.text == NULL;) {
        const struct config_entry *entry = &config->entries[i];
        bool is_file;
        if (entry_matches(entry, value, &is_file))
            given = (struct given){.at = {.file = entry->file, .line = entry->line},
                                   .text = entry->text,
                                   .is_file = is_file};
    }
    if (given.text == NULL)
        given = (struct given){.at = {.file = "default"}, .text = value->row->otherwise};
    given.at.section = value->section;
    given.at.instance = value->instance;
    given.at.key = value->row->key;
    return given;
}

/* Where a secret's file is: in the credentials folder, else beside the configuration. */
static char *secret_path(const struct config *config, const char *name)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    if (name[0] == '/')
        return xstrdup(name);
    if (credentials != NULL && credentials[0] == '/') {
        char *path = xasprintf("%s/%s", credentials, name);
        if (access(path, F_OK) == 0)
            return path;
        free(path);
    }
    return config->folder != NULL ? xasprintf("%s/%s", config->folder, name) : xstrdup(name);
}

static char *secret_read(const struct config *config, const char *name, struct error *err)
{
    autofree char *path = secret_path(config, name);
    buf_auto content = BUF_INIT;
    if (file_read(path, CONFIG_SECRET_MAX, E_CONFIG_INVALID, &content, err) < 0)
        return NULL;
    size_t len = content.len;
    len -= len > 0 && content.data[len - 1] == '\n';
    len -= len > 0 && content.data[len - 1] == '\r';
    char *secret = NULL;
    if (memchr(content.data, '\0', len) != NULL)
        error_set(err, E_CONFIG_INVALID, "%s: holds a NUL byte", path);
    else
        secret = xstrndup(content.data, len);
    explicit_bzero(content.data, content.len);
    return secret;
}

/* Puts the value in force: what was given, if it is right, else the default. */
static void value_resolve(struct config *config, struct config_value *value)
{
    struct given given = given_find(config, value);
    value->origin = place_text(given.at.file, given.at.line);
    if (given.text == NULL)
        return;
    if (given.is_file) {
        error_auto err = ERROR_INIT;
        value->text = secret_read(config, given.text, &err);
        if (value->text == NULL)
            problem_add(config, &given.at, "%s_file: %s", value->row->key, err.message);
        return;
    }
    buf_auto why = BUF_INIT;
    const char *text = given.text, *otherwise = value->row->otherwise;
    if (config_value_parse(value->row, text, &value->number, &why) < 0) {
        problem_add(config, &given.at, "%s = %s: %s", value->row->key, text, why.data);
        text = otherwise;
        if (text != NULL) /* a wrong default is found where it is in force */
            config_value_parse(value->row, text, &value->number, &why);
    }
    value->text = text != NULL ? xstrdup(text) : NULL;
}

static struct config_value *value_find(const struct config *config, const char *section,
                                       const char *instance, const char *key)
{
    for (size_t i = 0; i < config->n_values; i++) {
        struct config_value *value = &config->values[i];
        if (strcmp(value->row->key, key) == 0 && strcmp(value->section, section) == 0 &&
            same_text(value->instance, instance))
            return value;
    }
    return NULL;
}

static void value_declare(struct config *config, const char *section, const char *instance,
                          const struct config_key *row)
{
    const struct config_value *known = value_find(config, section, instance, row->key);
    if (known != NULL && known->row == row)
        return;
    if (known != NULL) {
        struct place at = {"declaration", 0, section, instance, row->key};
        problem_add(config, &at, "'%s' of [%s] is declared by two tables", row->key, section);
        return;
    }
    struct config_value *value = config_grow(config->values, config->n_values);
    value->section = xstrdup(section);
    value->instance = xstrdup_or_null(instance);
    value->row = row;
    value_resolve(config, value);
}

static void section_asked(const struct config *config, const char *section)
{
    for (size_t i = 0; i < config->n_sections; i++)
        if (strcmp(config->sections[i]->name, section) == 0)
            atomic_store_explicit(&config->sections[i]->asked, true, memory_order_relaxed);
}

int config_declare(struct config *config, const struct config_key *keys, size_t n,
                   struct error *err)
{
    size_t before = problems_count(config);
    for (size_t k = 0; k < n; k++) {
        value_declare(config, keys[k].section, NULL, &keys[k]);
        for (size_t i = 0; i < config->n_sections; i++) {
            const struct config_section *section = config->sections[i];
            if (section->instance != NULL && strcmp(section->name, keys[k].section) == 0)
                value_declare(config, section->name, section->instance, &keys[k]);
        }
    }
    return problems_raise(config, before, err);
}

int config_declare_instance(struct config *config, const char *section, const char *instance,
                            const struct config_key *keys, size_t n, struct error *err)
{
    size_t before = problems_count(config);
    section_asked(config, section);
    for (size_t k = 0; k < n; k++)
        value_declare(config, section, instance, &keys[k]);
    return problems_raise(config, before, err);
}

/* ---- checking ---- */

static const struct config_value *value_get(const struct config *config, const char *section,
                                            const char *instance, const char *key)
{
    const struct config_value *value = value_find(config, section, instance, key);
    if (value == NULL) {
        fprintf(stderr, "c9d: bug: configuration key '%s' of [%s %s] was never declared\n", key,
                section, instance != NULL ? instance : "");
        abort();
    }
    return value;
}

/* "; did you mean 'x'?" or "". To be freed. */
static char *hint_make(const char *word, const char *const *names, size_t n)
{
    const char *nearest = nearest_name(word, names, n);
    return nearest != NULL ? xasprintf("; did you mean '%s'?", nearest) : xstrdup("");
}

static bool section_known(const struct config *config, const char *section)
{
    for (size_t i = 0; i < config->n_values; i++)
        if (strcmp(config->values[i].section, section) == 0)
            return true;
    return false;
}

/* True when the section may stand there at all. */
static bool section_check(struct config *config, const struct config_section *section)
{
    struct place at = {section->file, section->line, section->name, section->instance, ""};
    if (!section_known(config, section->name)) {
        autofree const char **names = xcalloc(config->n_values, sizeof(*names));
        for (size_t i = 0; i < config->n_values; i++)
            names[i] = config->values[i].section;
        autofree char *hint = hint_make(section->name, names, config->n_values);
        problem_add(config, &at, "there is no section [%s]%s", section->name, hint);
        return false;
    }
    if (section->instance != NULL && !atomic_load(&section->asked)) {
        problem_add(config, &at, "section [%s] takes no name: write [%s] and not [%s %s]",
                    section->name, section->name, section->name, section->instance);
        return false;
    }
    return true;
}

static void entry_check(struct config *config, const struct config_entry *entry)
{
    const struct config_section *section = entry->section;
    autofree const char **names = xcalloc(config->n_values, sizeof(*names));
    size_t n = 0;
    for (size_t i = 0; i < config->n_values; i++) {
        const struct config_value *value = &config->values[i];
        bool is_file;
        if (entry_matches(entry, value, &is_file))
            return;
        if (strcmp(value->section, section->name) == 0 &&
            same_text(value->instance, section->instance))
            names[n++] = value->row->key;
    }
    struct place at = {entry->file, entry->line, section->name, section->instance, entry->key};
    autofree char *where = section_text(section->name, section->instance);
    autofree char *hint = hint_make(entry->key, names, n);
    problem_add(config, &at, "%s has no key '%s'%s", where, entry->key, hint);
}

static bool env_declared(const struct config_value *value, const char *name, size_t len)
{
    autofree char *plain = env_name(value->section, value->instance, value->row->key, "");
    if (strlen(plain) == len && memcmp(plain, name, len) == 0)
        return true;
    if (value->row->type != CONFIG_SECRET)
        return false;
    autofree char *file = env_name(value->section, value->instance, value->row->key, "_file");
    return strlen(file) == len && memcmp(file, name, len) == 0;
}

/* A variable C9D_SECTION_… of a section that exists must be a key. Others are of other programs. */
static void env_check(struct config *config, const char *variable)
{
    size_t len = strcspn(variable, "=");
    const char *section = NULL;
    for (size_t i = 0; i < config->n_values; i++) {
        const struct config_value *value = &config->values[i];
        if (env_declared(value, variable, len))
            return;
        autofree char *prefix = env_name(value->section, NULL, "", "");
        if (strlen(prefix) < len && strncmp(variable, prefix, strlen(prefix)) == 0)
            section = value->section;
    }
    if (section == NULL)
        return;
    autofree char *name = xstrndup(variable, len);
    struct place at = {"environment", 0, section, NULL, name};
    problem_add(config, &at, "%s is no key of [%s], nor of a [%s NAME] that the files have", name,
                section, section);
}

int config_problem(struct config *config, const char *section, const char *instance,
                   const char *key, const char *message, struct error *err)
{
    const struct config_value *value = value_get(config, section, instance, key);
    struct given given = given_find(config, value);
    size_t before = problems_count(config);
    problem_add(config, &given.at, "%s", message);
    return problems_raise(config, before, err);
}

int config_check(struct config *config, struct error *err)
{
    for (size_t i = 0; i < config->n_sections; i++) {
        const struct config_section *section = config->sections[i];
        if (!section_check(config, section))
            continue;
        for (size_t k = 0; k < config->n_entries; k++)
            if (config->entries[k].section == section)
                entry_check(config, &config->entries[k]);
    }
    for (char **variable = environ; *variable != NULL; variable++)
        if (strncmp(*variable, "C9D_", 4) == 0)
            env_check(config, *variable);
    return problems_raise(config, 0, err);
}

/* ---- reading ---- */

const char *config_string(const struct config *config, const char *section, const char *instance,
                          const char *key)
{
    return value_get(config, section, instance, key)->text;
}

int64_t config_int(const struct config *config, const char *section, const char *instance,
                   const char *key)
{
    return value_get(config, section, instance, key)->number;
}

bool config_bool(const struct config *config, const char *section, const char *instance,
                 const char *key)
{
    return value_get(config, section, instance, key)->number != 0;
}

const char *config_origin(const struct config *config, const char *section, const char *instance,
                          const char *key)
{
    return value_get(config, section, instance, key)->origin;
}

size_t config_instances(const struct config *config, const char *section, const char **names_r,
                        size_t max)
{
    section_asked(config, section);
    size_t n = 0;
    for (size_t i = 0; i < config->n_sections; i++) {
        const struct config_section *found = config->sections[i];
        if (found->instance == NULL || strcmp(found->name, section) != 0)
            continue;
        size_t k = 0;
        while (k < n && strcmp(names_r[k], found->instance) != 0)
            k++;
        if (k == n && n < max)
            names_r[n++] = found->instance;
    }
    return n;
}
