#include "supervisor/secrets.h"

#include <ctype.h>
#include <string.h>

#include "supervisor/engine-private.h"

enum {
    SECRETS_MAX = 256,
    VALUE_MIN = 8, /* shorter ones could be hidden in a reply only by mutilating other text */
    VALUE_MAX = 8192
};

#define PREFIX     "c9-secret-"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

struct secret {
    char *name, *value, *encoded, *json; /* encoded, json: NULL when they are the value */
    char *hosts, *organizations, *agents;
    bool plain_http;
};

struct secrets {
    struct secret *all;
    size_t n;
};

static const struct config_key keys[] = {
    {"secret", "value", CONFIG_SECRET, NULL, 0, 0, NULL,
     "The secret: a key or token of 8 bytes and more. Better value_file, a file or systemd credential."},
    {"secret", "hosts", CONFIG_LIST, "", 0, 0, NULL,
     "Hosts it may be sent to, such as api.example.org or *.example.org."},
    {"secret", "organizations", CONFIG_LIST, "", 0, 0, NULL,
     "Ids of the organizations whose agents may use it; empty: any."},
    {"secret", "agents", CONFIG_LIST, "", 0, 0, NULL,
     "Ids or names of the agents that may use it; empty: any."},
    {"secret", "plain_http", CONFIG_BOOL, "no", 0, 0, NULL,
     "Whether it may go over http too, where anybody on the way reads it."},
};

/* ---- configuration --------------------------------------------------------------------------- */

static size_t instances(const struct config *config, const char *names[SECRETS_MAX])
{
    return config_instances(config, "secret", names, SECRETS_MAX);
}

int secrets_declare(struct config *config, struct error *err)
{
    const char *names[SECRETS_MAX];
    size_t n = instances(config, names);
    int status = 0;
    for (size_t i = 0; i < n; i++)
        if (config_declare_instance(config, "secret", names[i], keys, countof(keys), err) < 0)
            status = -1;
    return status;
}

/* RFC 3986's unreserved characters stay. */
static char *percent_encode(const char *value)
{
    buf_auto out = BUF_INIT;
    bool same = true;
    for (const char *c = value; *c != '\0'; c++) {
        bool plain = isalnum((unsigned char)*c) || strchr("-._~", *c) != NULL;
        same = same && plain;
        if (plain)
            buf_append_char(&out, *c);
        else
            buf_printf(&out, "%%%02X", (unsigned char)*c);
    }
    return same ? NULL : buf_steal(&out);
}

static char *json_encode(const char *value)
{
    jx_auto *string = json_string(value);
    if (string == NULL)
        return NULL;
    size_t len;
    autofree char *text = jx_encode(string, &len);
    if (len - 2 == strlen(value))
        return NULL;
    return xstrndup(text + 1, len - 2);
}

static int value_check(const struct config *config, const char *name, const char *value,
                       struct error *err)
{
    size_t len = value != NULL ? strlen(value) : 0;
    bool clean = true;
    for (size_t i = 0; i < len; i++)
        clean = clean && (unsigned char)value[i] >= ' ' && value[i] != 0x7f;
    if (len >= VALUE_MIN && len <= VALUE_MAX && clean)
        return 0;
    return error_set(err, E_CONFIG_INVALID,
                     "%s: [secret %s] value must be one line of %d to %d bytes without control "
                     "characters (value_file names a file that holds it)",
                     config_origin(config, "secret", name, "value"), name, VALUE_MIN, VALUE_MAX);
}

static int secret_read(const struct config *config, const char *name, struct secret *s,
                       struct error *err)
{
    const char *value = config_string(config, "secret", name, "value");
    if (value_check(config, name, value, err) < 0)
        return -1;
    s->name = xstrdup(name);
    s->value = xstrdup(value);
    s->encoded = percent_encode(value);
    s->json = json_encode(value);
    s->hosts = xstrdup(config_string(config, "secret", name, "hosts"));
    s->organizations = xstrdup(config_string(config, "secret", name, "organizations"));
    s->agents = xstrdup(config_string(config, "secret", name, "agents"));
    s->plain_http = config_bool(config, "secret", name, "plain_http");
    if (s->hosts[strspn(s->hosts, " ,\t")] == '\0')
        return error_set(err, E_CONFIG_INVALID,
                         "[secret %s]: hosts is missing: say where it may go", name);
    return 0;
}

/* Longer values first: where one holds another, that is not to be taken out of its middle. */
static int by_length(const void *a, const void *b)
{
    size_t x = strlen(((const struct secret *)a)->value),
           y = strlen(((const struct secret *)b)->value);
    return x < y ? 1 : x > y ? -1 : 0;
}

struct secrets *secrets_new(const struct config *config, struct error *err)
{
    const char *names[SECRETS_MAX];
    size_t n = instances(config, names);
    struct secrets *secrets = xcalloc(1, sizeof(*secrets));
    secrets->all = xcalloc(n + 1, sizeof(*secrets->all));
    for (size_t i = 0; i < n; i++) {
        secrets->n++;
        if (secret_read(config, names[i], &secrets->all[i], err) < 0) {
            secrets_free(secrets);
            return NULL;
        }
    }
    qsort(secrets->all, secrets->n, sizeof(*secrets->all), by_length);
    return secrets;
}

static void wipe(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
    free(text);
}

void secrets_free(struct secrets *secrets)
{
    if (secrets == NULL)
        return;
    for (size_t i = 0; i < secrets->n; i++) {
        struct secret *s = &secrets->all[i];
        wipe(s->value);
        wipe(s->encoded);
        wipe(s->json);
        free(s->name);
        free(s->hosts);
        free(s->organizations);
        free(s->agents);
    }
    free(secrets->all);
    free(secrets);
}

/* ---- who may have which ---------------------------------------------------------------------- */

/* Whether a word of the list fits; an empty list is any when `otherwise` says so. */
static bool list_has(const char *list, const char *word, bool otherwise,
                     bool (*fits)(const char *pattern, const char *word))
{
    autofree char *copy = xstrdup(list);
    char *save = NULL;
    bool any = false;
    for (char *w = strtok_r(copy, " ,\t", &save); w != NULL; w = strtok_r(NULL, " ,\t", &save)) {
        any = true;
        if (fits(w, word))
            return true;
    }
    return !any && otherwise;
}

static bool same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool granted(const struct run *run, const struct secret *s)
{
    const struct launch *l = run->launch;
    return list_has(s->organizations, l->organization_id, true, same) &&
           (list_has(s->agents, l->agent_id, true, same) ||
            list_has(s->agents, l->agent_name, true, same));
}

static bool named(const struct run *run, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach (json_object_get(run->launch->needs, "secrets"), i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), name) == 0)
            return true;
    return false;
}

static const struct secret *find(const struct run *run, const char *name)
{
    const struct secrets *secrets = run->engine->secrets;
    for (size_t i = 0; secrets != NULL && i < secrets->n; i++)
        if (strcmp(secrets->all[i].name, name) == 0)
            return &secrets->all[i];
    return NULL;
}

static void reference_make(const struct run *run, const char *name, char out[SECRET_REFERENCE_SIZE])
{
    uint8_t mac[SHA256_SIZE];
    char hex[SHA256_HEX_SIZE];
    autofree char *text = xasprintf("secret/%s/%s", run->id, name);
    hash_hmac_sha256(run->engine->secret, sizeof(run->engine->secret), text, strlen(text), mac);
    snprintf(out, SECRET_REFERENCE_SIZE, PREFIX "%.32s", hash_hex(mac, sizeof(mac), hex));
}

int secret_reference(const struct run *run, const char *name, char out[SECRET_REFERENCE_SIZE],
                     struct error *err)
{
    const struct secret *s = find(run, name);
    if (!named(run, name)) {
        error_set(err, E_CAPABILITY_DENIED,
                  "the skill's manifest does not name the secret '%.64s': add it to needs.secrets",
                  name);
        error_detail(err, "capability", json_pack("s+", "secrets:", name));
        return -1;
    }
    if (run->rehearsal == NULL && (s == NULL || !granted(run, s)))
        return error_set(err, E_CAPABILITY_DENIED,
                         "there is no secret '%.64s' for this agent: the operator configures it in "
                         "[secret %.64s]",
                         name, name);
    reference_make(run, name, out);
    return 0;
}

/* ---- filling in ------------------------------------------------------------------------------ */

/* Those that the execution may use, with their references; made once for a request. */
struct usable {
    const struct secret *secret;
    char reference[SECRET_REFERENCE_SIZE];
};

static size_t usable_list(const struct run *run, struct usable **list_r)
{
    const json_t *names = json_object_get(run->launch->needs, "secrets");
    size_t i, n = 0;
    json_t *name;
    *list_r = NULL;
    if (json_array_size(names) == 0)
        return 0;
    *list_r = xcalloc(json_array_size(names), sizeof(**list_r));
    json_array_foreach ((json_t *)names, i, name) {
        const char *text = json_string_value(name);
        const struct secret *s = text != NULL ? find(run, text) : NULL;
        if (s == NULL || !granted(run, s))
            continue;
        (*list_r)[n].secret = s;
        reference_make(run, s->name, (*list_r)[n++].reference);
    }
    return n;
}

static const struct secret *referred(const struct usable *list, size_t n, const char *at,
                                     size_t left)
{
    for (size_t i = 0; i < n; i++)
        if (left >= SECRET_REFERENCE_SIZE - 1 &&
            memcmp(list[i].reference, at, SECRET_REFERENCE_SIZE - 1) == 0)
            return list[i].secret;
    return NULL;
}

static int may_go(const struct secret *s, const struct secret_target *target, struct error *err)
{
    if (!list_has(s->hosts, target->host, false, guard_host_matches))
        return error_set(err, E_ADDRESS_DENIED,
                         "the secret '%s' may not be sent to %.200s: [secret %s] hosts", s->name,
                         target->host, s->name);
    if (strcmp(target->scheme, "https") != 0 && !s->plain_http)
        return error_set(err, E_ADDRESS_DENIED,
                         "the secret '%s' is sent by https only, not to %s://%.200s", s->name,
                         target->scheme, target->host);
    return 0;
}

static int fill(const struct usable *list, size_t n, const char *text, size_t len,
                enum secret_place place, const struct secret_target *target, struct buf *out,
                struct error *err)
{
    const char *end = text + len, *query = memchr(text, '?', len);
    while (text < end) {
        const char *at = memmem(text, (size_t)(end - text), PREFIX, PREFIX_LEN);
        if (at == NULL)
            break;
        const struct secret *s = referred(list, n, at, (size_t)(end - at));
        size_t skip = s != NULL ? SECRET_REFERENCE_SIZE - 1 : PREFIX_LEN;
        buf_append(out, text, (size_t)(at - text));
        if (s == NULL) {
            buf_append(out, at, skip);
        } else if (place == SECRET_IN_QUERY && (query == NULL || at < query)) {
            return error_set(err, E_ADDRESS_DENIED,
                             "the secret '%s' can be in the query of a URL only, behind its '?'",
                             s->name);
        } else if (may_go(s, target, err) < 0) {
            return -1;
        } else {
            buf_append_str(out,
                           place == SECRET_IN_QUERY && s->encoded != NULL ? s->encoded : s->value);
        }
        text = at + skip;
    }
    buf_append(out, text, (size_t)(end - text));
    return 0;
}

int secrets_fill(const struct run *run, const char *text, size_t len, enum secret_place place,
                 const struct secret_target *target, struct buf *out, struct error *err)
{
    struct usable *list;
    size_t n = usable_list(run, &list);
    int result = fill(list, n, text, len, place, target, out, err);
    free(list);
    return result;
}

/* ---- hiding ---------------------------------------------------------------------------------- */

static void replace_all(struct buf *text, const char *what, const char *by)
{
    size_t len = what != NULL ? strlen(what) : 0;
    const char *from = text->data, *end = from + text->len;
    if (len == 0 || text->len < len || memmem(from, text->len, what, len) == NULL)
        return;
    struct buf out = BUF_INIT;
    for (const char *at; (at = memmem(from, (size_t)(end - from), what, len)) != NULL;
         from = at + len) {
        buf_append(&out, from, (size_t)(at - from));
        buf_append_str(&out, by);
    }
    buf_append(&out, from, (size_t)(end - from));
    buf_free(text);
    *text = out;
}

void secrets_hide(const struct run *run, struct buf *text)
{
    const struct secrets *secrets = run->engine->secrets;
    for (size_t i = 0; secrets != NULL && i < secrets->n; i++) {
        const struct secret *s = &secrets->all[i];
        char reference[SECRET_REFERENCE_SIZE] = SECRET_HIDDEN;
        if (named(run, s->name) && granted(run, s))
            reference_make(run, s->name, reference);
        replace_all(text, s->value, reference);
        replace_all(text, s->encoded, reference);
        replace_all(text, s->json, reference);
    }
}

char *secrets_hide_text(const struct run *run, char *text)
{
    struct buf b = BUF_INIT;
    if (run->engine->secrets == NULL || run->engine->secrets->n == 0)
        return text;
    buf_append_str(&b, text);
    free(text);
    secrets_hide(run, &b);
    return b.data != NULL ? buf_steal(&b) : xstrdup("");
}

void secrets_hide_error(const struct run *run, struct error *err)
{
    autofree char *message = secrets_hide_text(run, xstrdup(err->message));
    if (strcmp(message, err->message) == 0)
        return;
    json_t *details = err->details;
    err->details = NULL;
    error_set(err, err->code, "%s", message);
    err->details = details;
}
