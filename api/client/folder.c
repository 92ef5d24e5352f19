#include "client/folder.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/nearest.h"
#include "client/client.h"

enum { FILE_MAX = 16 << 20, SKILL_MAX = 1 << 20, FILE_NAME_MAX = 180 };

void folder_free(struct folder *folder)
{
    json_decref(folder->skills);
    json_decref(folder->personas);
    json_decref(folder->agents);
    json_decref(folder->chains);
    *folder = (struct folder){NULL};
}

json_t *folder_find(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(jx_str(json_array_get(list, i), "name", ""), name) == 0)
            return json_array_get(list, i);
    return NULL;
}

/* ---- names ---- */

char *folder_file_name(const char *name, const char *suffix)
{
    buf_auto out = BUF_INIT;
    char digest[SHA256_HEX_SIZE];
    for (const char *s = name; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        bool plain = c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                     (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || (c == '.' && s > name);
        if (plain)
            buf_append_char(&out, *s);
        else
            buf_printf(&out, "%%%02X", c);
    }
    if (out.len > FILE_NAME_MAX) {
        size_t n = FILE_NAME_MAX - 20;
        while (((unsigned char)out.data[n] & 0xc0) == 0x80) /* not inside a character */
            n--;
        out.len = n;
        buf_printf(&out, "-%.16s", hash_sha256_hex(name, strlen(name), digest));
    }
    buf_append_str(&out, suffix);
    return buf_steal(&out);
}

/* ---- configurations ---- */

json_t *folder_config(const json_t *given)
{
    static const struct {
        const char *name, *otherwise; /* JSON; NULL: left out */
    } members[] = {
        {"name", NULL},
        {"description", NULL},
        {"persona", NULL},
        {"skillset", "[]"},
        {"inputSchema", NULL},
        {"outputSchema", NULL},
        {"triggerMode", "\"manual\""},
        {"triggerConfig", "{}"},
        {"executionConfig", "{}"},
        {"visibility", "\"private\""},
        {"metadata", "{}"},
    };
    json_t *config = json_object();
    for (size_t i = 0; i < countof(members); i++) {
        json_t *value = json_object_get(given, members[i].name);
        if (value != NULL && !json_is_null(value))
            json_object_set(config, members[i].name, value);
        else if (members[i].otherwise != NULL)
            json_object_set_new(config, members[i].name,
                                json_loads(members[i].otherwise, JSON_DECODE_ANY, NULL));
    }
    return config;
}

json_t *folder_chain(const json_t *given)
{
    json_t *description = json_object_get(given, "description");
    return json_pack("{s:O*, s:O*, s:O*, s:s}", "name", json_object_get(given, "name"),
                     "description", json_is_null(description) ? NULL : description, "chainConfig",
                     json_object_get(given, "chainConfig"), "status",
                     jx_str(given, "status", "active"));
}

/* ---- reading ---- */

static int has_suffix(const char *name, const char *suffix)
{
    size_t n = strlen(name), m = strlen(suffix);
    return name[0] != '.' && n > m && strcmp(name + n - m, suffix) == 0;
}

static json_t *json_file(const char *path, struct error *err)
{
    buf_auto text = BUF_INIT;
    if (client_read_file(path, FILE_MAX, &text, err) < 0)
        return NULL;
    json_t *value = jx_decode(text.data, text.len, path, err);
    if (value == NULL || json_is_object(value))
        return value;
    json_decref(value);
    error_set(err, E_INVALID_REQUEST, "%s: must hold a JSON object", path);
    return NULL;
}

/* A text member, or that it is wrong; NULL when it is absent and may be. */
static int text_member(const char *path, const json_t *object, const char *key, bool required,
                       const char **text_r, struct error *err)
{
    const json_t *value = json_object_get(object, key);
    *text_r = json_string_value(value);
    bool absent = value == NULL || json_is_null(value);
    if (absent ? !required : json_is_string(value))
        return 0;
    return error_set(err, E_INVALID_REQUEST, "%s: /%s must be a text", path, key);
}

static int unknown_refuse(const char *path, const json_t *object, const char *const *names,
                          size_t n, struct error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)object, key, value) {
        bool known = false;
        for (size_t i = 0; i < n && !known; i++)
            known = strcmp(names[i], key) == 0;
        if (known)
            continue;
        const char *near = nearest_name(key, names, n);
        return error_set(err, E_INVALID_REQUEST, "%s: there is no member '%s'%s%s%s", path, key,
                         near != NULL ? "; did you mean '" : "", near != NULL ? near : "",
                         near != NULL ? "'?" : "");
    }
    return 0;
}

static int entry_add(json_t *list, json_t *entry, const char *path, struct error *err)
{
    const json_t *other = folder_find(list, jx_str(entry, "name", ""));
    if (other != NULL) {
        error_set(err, E_INVALID_REQUEST, "%s: '%s' is in %s already", path,
                  jx_str(entry, "name", ""), jx_str(other, "file", "another file"));
        json_decref(entry);
        return -1;
    }
    json_object_set_new(entry, "file", jx_text(path, strlen(path)));
    json_array_append_new(list, entry);
    return 0;
}

static int skill_read(const char *dir, const char *file, json_t *list, struct error *err)
{
    buf_auto source = BUF_INIT;
    char digest[SHA256_HEX_SIZE];
    autofree char *path = xasprintf("%s/%s", dir, file);
    if (client_read_file(path, SKILL_MAX, &source, err) < 0)
        return -1;
    json_t *text = json_stringn(source.data != NULL ? source.data : "", source.len);
    if (text == NULL)
        return error_set(err, E_INVALID_REQUEST, "%s: not UTF-8 text", path);
    autofree char *name = xstrndup(file, strlen(file) - strlen(".lua"));
    hash_sha256_hex(source.data != NULL ? source.data : "", source.len, digest);
    return entry_add(list,
                     json_pack("{s:o, s:o, s:s}", "name", jx_text(name, strlen(name)), "source",
                               text, "sha256", digest),
                     path, err);
}

static int persona_prompt(const char *dir, const char *path, const json_t *given, json_t *entry,
                          struct error *err)
{
    const char *prompt, *beside;
    buf_auto text = BUF_INIT;
    if (text_member(path, given, "prompt", false, &prompt, err) < 0 ||
        text_member(path, given, "promptFile", false, &beside, err) < 0)
        return -1;
    if ((prompt == NULL) == (beside == NULL))
        return error_set(err, E_INVALID_REQUEST,
                         "%s: give either /prompt or /promptFile, the name of a file beside it",
                         path);
    if (prompt != NULL)
        return json_object_set(entry, "prompt", json_object_get(given, "prompt"));
    if (strchr(beside, '/') != NULL)
        return error_set(err, E_INVALID_REQUEST, "%s: /promptFile must be a file beside it", path);
    autofree char *other = xasprintf("%s/%s", dir, beside);
    if (client_read_file(other, FILE_MAX, &text, err) < 0)
        return error_wrap(err, "%s", path);
    json_t *value = json_stringn(text.data != NULL ? text.data : "", text.len);
    if (value == NULL)
        return error_set(err, E_INVALID_REQUEST, "%s: not UTF-8 text", other);
    return json_object_set_new(entry, "prompt", value);
}

static int persona_read(const char *dir, const char *file, json_t *list, struct error *err)
{
    static const char *const members[] = {"name", "description", "prompt", "promptFile"};
    autofree char *path = xasprintf("%s/%s", dir, file);
    jx_auto *given = json_file(path, err);
    const char *name, *description;
    if (given == NULL || unknown_refuse(path, given, members, countof(members), err) < 0 ||
        text_member(path, given, "name", true, &name, err) < 0 ||
        text_member(path, given, "description", false, &description, err) < 0)
        return -1;
    jx_auto *entry = json_pack("{s:O}", "name", json_object_get(given, "name"));
    if (description != NULL)
        json_object_set(entry, "description", json_object_get(given, "description"));
    if (persona_prompt(dir, path, given, entry, err) < 0)
        return -1;
    return entry_add(list, move_ptr(&entry), path, err);
}

static int agent_read(const char *dir, const char *file, json_t *list, struct error *err)
{
    static const char *const members[] = {
        "name",         "description", "persona",       "skillset",   "inputSchema",
        "outputSchema", "triggerMode", "triggerConfig", "visibility", "executionConfig",
        "metadata",     "version",     "changelog"};
    static const char *const texts[] = {"persona", "version", "changelog"};
    autofree char *path = xasprintf("%s/%s", dir, file);
    jx_auto *given = json_file(path, err);
    const char *text;
    if (given == NULL || unknown_refuse(path, given, members, countof(members), err) < 0 ||
        text_member(path, given, "name", true, &text, err) < 0)
        return -1;
    jx_auto *entry = json_pack("{s:O, s:o}", "name", json_object_get(given, "name"), "config",
                               folder_config(given));
    for (size_t i = 0; i < countof(texts); i++) {
        if (text_member(path, given, texts[i], false, &text, err) < 0)
            return -1;
        if (text != NULL)
            json_object_set(entry, texts[i], json_object_get(given, texts[i]));
    }
    return entry_add(list, move_ptr(&entry), path, err);
}

static int chain_read(const char *dir, const char *file, json_t *list, struct error *err)
{
    static const char *const members[] = {"name", "description", "chainConfig", "status"};
    autofree char *path = xasprintf("%s/%s", dir, file);
    jx_auto *given = json_file(path, err);
    const char *text;
    if (given == NULL || unknown_refuse(path, given, members, countof(members), err) < 0 ||
        text_member(path, given, "name", true, &text, err) < 0 ||
        text_member(path, given, "description", false, &text, err) < 0 ||
        text_member(path, given, "status", false, &text, err) < 0)
        return -1;
    if (!json_is_object(json_object_get(given, "chainConfig")))
        return error_set(err, E_INVALID_REQUEST, "%s: /chainConfig must be an object", path);
    return entry_add(list,
                     json_pack("{s:O, s:o}", "name", json_object_get(given, "name"), "body",
                               folder_chain(given)),
                     path, err);
}

typedef int read_fn(const char *dir, const char *file, json_t *list, struct error *err);

static int visible(const struct dirent *entry)
{
    return has_suffix(entry->d_name, ".lua") || has_suffix(entry->d_name, ".json");
}

/* 0 read, 1 there is no such folder, -1 error. */
static int part_read(const char *root, const char *part, const char *suffix, read_fn *read,
                     json_t *list, struct error *err)
{
    autofree char *dir = xasprintf("%s/%s", root, part);
    struct dirent **entries;
    int n = scandir(dir, &entries, visible, alphasort), result = 0;
    if (n < 0)
        return errno == ENOENT ? 1 : error_errno(err, E_INVALID_REQUEST, "%s", dir);
    for (int i = 0; i < n; i++) {
        if (result == 0 && has_suffix(entries[i]->d_name, suffix))
            result = read(dir, entries[i]->d_name, list, err);
        free(entries[i]);
    }
    free(entries);
    return result;
}

int folder_read(const char *path, struct folder *folder_r, struct error *err)
{
    folder_auto folder = {json_array(), json_array(), json_array(), json_array()};
    const struct {
        const char *part, *suffix;
        read_fn *read;
        json_t *list;
    } parts[] = {
        {"skills", ".lua", skill_read, folder.skills},
        {"personas", ".json", persona_read, folder.personas},
        {"agents", ".json", agent_read, folder.agents},
        {"chains", ".json", chain_read, folder.chains},
    };
    size_t absent = 0;
    for (size_t i = 0; i < countof(parts); i++) {
        int result =
            part_read(path, parts[i].part, parts[i].suffix, parts[i].read, parts[i].list, err);
        if (result < 0)
            return -1;
        absent += result == 1;
    }
    if (absent == countof(parts))
        return error_set(err, E_INVALID_REQUEST,
                         "%s: there is none of the folders skills, personas, agents and chains in "
                         "it",
                         path);
    *folder_r = folder;
    memset(&folder, 0, sizeof(folder));
    return 0;
}
