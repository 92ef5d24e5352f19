/* The error object and the table of codes. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

static const struct error_row rows[E_COUNT_] = {
    [E_NONE] = {"None", 200, false, "No error.", "Nothing to do."},
#define ERROR(id, name, status, retryable, meaning, action)                                        \
    [E_##id] = {name, status, retryable, meaning, action},
#include "errors.def"
#undef ERROR
};

const struct error_row *error_row(enum error_code code)
{
    return (unsigned)code < E_COUNT_ ? &rows[code] : &rows[E_INTERNAL];
}

enum error_code error_code_by_name(const char *name)
{
    for (int i = E_NONE + 1; i < E_COUNT_; i++)
        if (strcmp(rows[i].name, name) == 0)
            return (enum error_code)i;
    return E_NONE;
}

/* Messages quote foreign bytes, and printf cuts anywhere: what is no UTF-8 becomes U+FFFD. Cut at
 * the last character that fits. */
static void message_take(struct error *err, const char *text)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    size_t out = 0;
    for (size_t n, left = strlen(text); left > 0; text += n, left -= n) {
        n = utf8_char_len(text, left);
        const char *c = n > 0 ? text : replacement;
        size_t len = n > 0 ? n : sizeof(replacement) - 1;
        if (out + len >= sizeof(err->message))
            break;
        memcpy(err->message + out, c, len);
        out += len;
        n = n > 0 ? n : 1;
    }
    err->message[out] = '\0';
}

/* Large enough that two whole messages and a text between them are cut in one place only. */
enum { SCRATCH = 3 * ERROR_MESSAGE_MAX };

/* The message is made beside the object first: the arguments may point into the object. */
static int error_fill(struct error *err, enum error_code code, const char *text)
{
    if (err->details != NULL)
        json_decref(err->details);
    err->details = NULL;
    err->code = code;
    message_take(err, text);
    return -1;
}

int error_set(struct error *err, enum error_code code, const char *fmt, ...)
{
    if (err == NULL)
        return -1;
    char text[SCRATCH];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return error_fill(err, code, text);
}

int error_errno(struct error *err, enum error_code code, const char *fmt, ...)
{
    int number = errno;
    if (err == NULL)
        return -1;
    char text[SCRATCH], reason[128];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text) - sizeof(reason) - 2, fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : strlen(text);
    snprintf(text + len, sizeof(text) - len, ": %s", strerror_r(number, reason, sizeof(reason)));
    errno = number;
    return error_fill(err, code, text);
}

int error_wrap(struct error *err, const char *fmt, ...)
{
    if (err == NULL)
        return -1;
    char text[SCRATCH];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text) - ERROR_MESSAGE_MAX - 2, fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : strlen(text);
    snprintf(text + len, sizeof(text) - len, ": %s", err->message);
    message_take(err, text);
    return -1;
}

void error_detail(struct error *err, const char *key, json_t *value)
{
    if (err == NULL) {
        json_decref(value);
        return;
    }
    if (err->details == NULL)
        err->details = json_object();
    json_object_set_new(err->details, key, value);
}

int error_move(struct error *to, struct error *from)
{
    if (to == NULL) {
        error_clear(from);
        return -1;
    }
    if (to == from)
        return -1;
    error_clear(to);
    to->code = from->code;
    to->details = from->details;
    memcpy(to->message, from->message, strlen(from->message) + 1);
    from->details = NULL;
    error_clear(from);
    return -1;
}

void error_clear(struct error *err)
{
    if (err == NULL)
        return;
    json_decref(err->details);
    err->details = NULL;
    err->code = E_NONE;
    err->message[0] = '\0';
}

json_t *error_to_json(const struct error *err)
{
    const struct error_row *row = error_row(err->code);
    json_t *details = err->details != NULL ? json_copy(err->details) : json_object();
    if (json_object_get(details, "suggestedActions") == NULL)
        json_object_set_new(details, "suggestedActions", json_pack("[s]", row->action));
    json_t *object = json_object();
    json_object_set_new(object, "code", json_string(row->name));
    const char *message = err->message[0] != '\0' ? err->message : row->meaning;
    json_object_set_new(object, "message", jx_text(message, strlen(message)));
    json_object_set_new(object, "details", details);
    return object;
}
