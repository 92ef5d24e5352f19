/* Log records: one line, one write(2). */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"

enum { BINDINGS_MAX = 8, MESSAGE_MAX = 4096 };

static _Atomic int least_level = LOG_LEVEL_INFO;
static _Atomic int record_format = LOG_FORMAT_TEXT;

static _Thread_local struct {
    struct {
        const char *key, *value;
    } rows[BINDINGS_MAX];
    size_t n;
} bound;

static const char *const level_names[] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_ERROR] = "error",
};

void log_setup(enum log_level least, enum log_format format)
{
    atomic_store_explicit(&least_level, (int)least, memory_order_relaxed);
    atomic_store_explicit(&record_format, (int)format, memory_order_relaxed);
}

int log_level_parse(const char *s, enum log_level *level_r)
{
    for (size_t i = 0; i < countof(level_names); i++) {
        if (strcmp(s, level_names[i]) == 0) {
            *level_r = (enum log_level)i;
            return 0;
        }
    }
    return -1;
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

void log_bind(const char *key, const char *value)
{
    size_t i = 0;
    while (i < bound.n && strcmp(bound.rows[i].key, key) != 0)
        i++;
    if (value != NULL) {
        if (i == BINDINGS_MAX)
            return;
        bound.rows[i].key = key;
        bound.rows[i].value = value;
        bound.n += i == bound.n;
    } else if (i < bound.n) {
        bound.n--;
        memmove(&bound.rows[i], &bound.rows[i + 1], (bound.n - i) * sizeof(bound.rows[0]));
    }
}

/* Bytes of s that stand for themselves everywhere: nearly all. */
static size_t plain_span(const char *s, size_t len)
{
    size_t n = 0;
    while (n < len && s[n] >= 0x20 && s[n] < 0x7F && s[n] != '"' && s[n] != '\\')
        n++;
    return n;
}

/* Appends s so that no byte of it can end the line, steer a terminal, or break the record's own
 * syntax: C0 and C1 controls, '"' (where quoted) and '\\', and what is no UTF-8. */
static void append_escaped(struct buf *b, const char *s, bool json, bool quoted)
{
    size_t left = strlen(s);
    for (size_t n; left > 0; s += n, left -= n) {
        unsigned char c = (unsigned char)*s;
        n = plain_span(s, left);
        if (n > 0) {
            buf_append(b, s, n);
            continue;
        }
        n = utf8_char_len(s, left);
        if (n == 0) {
            buf_printf(b, json ? "\\ufffd" : "\\x%02x", c);
            n = 1;
        } else if (n == 2 && c == 0xC2 && (unsigned char)s[1] < 0xA0) {
            buf_printf(b, "\\u%04x", (unsigned char)s[1]);
        } else if (c == '\n' || c == '\t') {
            buf_append_str(b, c == '\n' ? "\\n" : "\\t");
        } else if (c < 0x20 || c == 0x7F) {
            buf_printf(b, json ? "\\u%04x" : "\\x%02x", c);
        } else {
            if (c == '\\' || (quoted && c == '"'))
                buf_append_char(b, '\\');
            buf_append(b, s, n);
        }
    }
}

static void append_field(struct buf *b, const char *key, const char *value, bool json)
{
    bool quoted = json || value[0] == '\0' || strpbrk(value, " \"=") != NULL;
    buf_append_str(b, json ? ",\"" : " ");
    append_escaped(b, key, json, json);
    buf_append_str(b, json ? "\":" : "=");
    buf_append_str(b, quoted ? "\"" : "");
    append_escaped(b, value, json, quoted);
    buf_append_str(b, quoted ? "\"" : "");
}

static void append_record(struct buf *b, enum log_level level, const char *event,
                          const char *message, bool json)
{
    char time[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(clock_wall_us(), time);
    if (json) {
        buf_printf(b, "{\"time\":\"%s\"", time);
        append_field(b, "level", level_names[level], true);
        append_field(b, "event", event, true);
        append_field(b, "message", message, true);
    } else {
        buf_printf(b, "%s %-5s %s", time, level_names[level], event);
    }
    for (size_t i = 0; i < bound.n; i++)
        append_field(b, bound.rows[i].key, bound.rows[i].value, json);
    if (!json) {
        buf_append_char(b, ' ');
        append_escaped(b, message, false, false);
    }
    buf_append_str(b, json ? "}\n" : "\n");
}

/* A log that cannot be written is lost: there is nowhere to report it. */
static void record_write(const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return;
        data += n;
        len -= (size_t)n;
    }
}

void log_write(enum log_level level, const char *event, const char *fmt, ...)
{
    int saved = errno;
    char message[MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    if (n < 0)
        message[0] = '\0';
    else if ((size_t)n >= sizeof(message))
        memcpy(message + utf8_cut(message, sizeof(message) - 1, sizeof(message) - 5), "…",
               sizeof("…"));

    bool json = atomic_load_explicit(&record_format, memory_order_relaxed) == LOG_FORMAT_JSON;
    buf_auto record = BUF_INIT;
    buf_reserve(&record, strlen(message) + 256);
    append_record(&record, level, event, message, json);
    record_write(record.data, record.len);
    errno = saved;
}
