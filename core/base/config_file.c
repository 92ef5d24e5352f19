/* Reading configuration files: libinih splits the lines, this bounds, counts and keeps them. */
#include "base/config-private.h"

#include <ctype.h>
#include <ini.h>
#include <pthread.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"

/* One file being parsed. libinih hands no line numbers to its handler, and no section without
 * keys: both are taken where the lines go in. */
struct reading {
    struct config *config;
    const char *file;
    const char *next; /* the text not yet handed to libinih */
    int line;
    const struct config_section *section;
    struct error *err;
    bool failed;
};

__attribute__((format(printf, 2, 3))) static void reading_fail(struct reading *r, const char *fmt,
                                                               ...)
{
    if (r->failed)
        return;
    r->failed = true;
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    error_set(r->err, E_CONFIG_INVALID, "%s:%d: %s", r->file, r->line, text);
}

static bool name_valid(const char *s, size_t len, const char *more)
{
    if (len == 0 || !isalnum((unsigned char)s[0]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)s[i]) && strchr(more, s[i]) == NULL)
            return false;
    return true;
}

/* "name" or "name instance" between the brackets. */
static void section_begin(struct reading *r, const char *text, size_t len)
{
    const char *end = text + len, *name = text;
    while (name < end && isblank((unsigned char)*name))
        name++;
    while (end > name && isblank((unsigned char)end[-1]))
        end--;
    const char *gap = name;
    while (gap < end && !isblank((unsigned char)*gap))
        gap++;
    const char *instance = gap;
    while (instance < end && isblank((unsigned char)*instance))
        instance++;
    if (len > CONFIG_SECTION_MAX || !name_valid(name, (size_t)(gap - name), "_-") ||
        (instance < end && !name_valid(instance, (size_t)(end - instance), "_-."))) {
        reading_fail(r,
                     "'[%.*s]' is not a section: write [name] or [name instance], letters, "
                     "digits, '_' and '-', at most %d bytes",
                     len > 60 ? 60 : (int)len, text, CONFIG_SECTION_MAX);
        return;
    }
    if (r->config->n_sections == CONFIG_ENTRIES_MAX) {
        reading_fail(r, "more than %d sections", CONFIG_ENTRIES_MAX);
        return;
    }
    struct config_section *section = xcalloc(1, sizeof(*section));
    section->name = xstrndup(name, (size_t)(gap - name));
    section->instance = instance < end ? xstrndup(instance, (size_t)(end - instance)) : NULL;
    section->file = r->file;
    section->line = r->line;
    *config_grow(r->config->sections, r->config->n_sections) = section;
    r->section = section;
}

/* fgets for libinih. A line was checked to fit before it is handed over. */
static char *reading_line(char *out, int size, void *arg)
{
    struct reading *r = arg;
    if (r->failed || *r->next == '\0')
        return NULL;
    r->line++;
    size_t len = strcspn(r->next, "\n");
    const char *line = r->next;
    r->next += len + (r->next[len] == '\n');
    if (len + 2 > (size_t)size || len > CONFIG_LINE_MAX) {
        reading_fail(r, "the line is longer than %d bytes", CONFIG_LINE_MAX);
        return NULL;
    }
    memcpy(out, line, len);
    out[len] = '\0';
    const char *s = out + (r->line == 1 && strncmp(out, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0);
    s += strspn(s, " \t\r");
    const char *close = *s == '[' ? strchr(s, ']') : NULL;
    if (close != NULL)
        section_begin(r, s + 1, (size_t)(close - s - 1));
    return out;
}

static int reading_entry(void *arg, const char *section, const char *key, const char *text)
{
    struct reading *r = arg;
    (void)section; /* seen, and checked, in reading_line */
    if (r->failed)
        return 0;
    if (r->section == NULL) {
        reading_fail(r, "'%.60s' stands before the first [section]", key);
        return 0;
    }
    if (r->config->n_entries == CONFIG_ENTRIES_MAX) {
        reading_fail(r, "more than %d keys", CONFIG_ENTRIES_MAX);
        return 0;
    }
    for (size_t i = r->config->n_entries; i-- > 0;) {
        const struct config_entry *other = &r->config->entries[i];
        if (other->section != r->section)
            break;
        if (strcmp(other->key, key) == 0) {
            reading_fail(r, "'%.60s' was given in line %d already", key, other->line);
            return 0;
        }
    }
    struct config_entry *entry = config_grow(r->config->entries, r->config->n_entries);
    entry->section = r->section;
    entry->key = xstrdup(key);
    entry->text = xstrdup(text);
    entry->file = r->file;
    entry->line = r->line;
    return 1;
}

static int text_check(const struct buf *content, const char *path, struct error *err)
{
    int line = 1;
    const char *s = content->data;
    for (size_t n, left = content->len; left > 0; s += n, left -= n) {
        n = utf8_char_len(s, left);
        if (n == 0 || *s == '\0')
            return error_set(err, E_CONFIG_INVALID, "%s:%d: not UTF-8 text", path, line);
        line += *s == '\n';
    }
    return 0;
}

/* Lines of libinih are 200 bytes long unless told otherwise, and an indented line would continue
 * the value above: here it is a key like any other. */
static void inih_setup(void)
{
    ini_use_stack = false;
    ini_initial_alloc = CONFIG_LINE_MAX + 2;
    ini_max_line = CONFIG_LINE_MAX + 2;
    ini_allow_multiline = false;
    ini_stop_on_first_error = true;
}

int config_file_read(struct config *config, const char *path, struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, inih_setup);
    buf_auto content = BUF_INIT;
    if (file_read(path, CONFIG_FILE_MAX, E_CONFIG_INVALID, &content, err) < 0 ||
        text_check(&content, path, err) < 0)
        return -1;
    char *file = xstrdup(path);
    *config_grow(config->files, config->n_files) = file;
    struct reading r = {.config = config, .file = file, .next = content.data, .err = err};
    int rc = ini_parse_stream(reading_line, &r, reading_entry, &r);
    if (rc != 0)
        reading_fail(&r, rc > 0 ? "neither a [section], a key = value, nor a # comment"
                                : "no memory to read the file");
    return r.failed ? -1 : 0;
}
