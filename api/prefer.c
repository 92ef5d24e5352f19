/* Prefer: respond-async, wait=N. */
#include "api/prefer.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static void trim(const char **start, const char **end)
{
    while (*start < *end && isblank((unsigned char)**start))
        (*start)++;
    while (*end > *start && isblank((unsigned char)(*end)[-1]))
        (*end)--;
}

static int wait_parse(const char *s, const char *end)
{
    int seconds = 0;
    if (end - s >= 2 && *s == '"' && end[-1] == '"') {
        s++;
        end--;
    }
    if (s == end)
        return -1;
    for (; s < end; s++) {
        if (!isdigit((unsigned char)*s))
            return -1;
        seconds = seconds * 10 + (*s - '0');
        if (seconds > PREFER_WAIT_MAX)
            seconds = PREFER_WAIT_MAX;
    }
    return seconds;
}

/* One preference: name [= value] [; parameters, which neither of ours has]. */
static void preference_parse(const char *s, const char *end, struct prefer *prefer)
{
    const char *semicolon = memchr(s, ';', (size_t)(end - s));
    if (semicolon != NULL)
        end = semicolon;
    const char *equals = memchr(s, '=', (size_t)(end - s));
    const char *name_end = equals != NULL ? equals : end,
               *value = equals != NULL ? equals + 1 : end;
    trim(&s, &name_end);
    trim(&value, &end);
    size_t len = (size_t)(name_end - s);
    if (len == strlen("respond-async") && strncasecmp(s, "respond-async", len) == 0)
        prefer->respond_async = true;
    else if (len == strlen("wait") && strncasecmp(s, "wait", len) == 0 && prefer->wait < 0)
        prefer->wait = wait_parse(value, end);
}

/* The end of the list element at s: a comma outside quotes, or end. */
static const char *element_end(const char *s, const char *end)
{
    bool quoted = false;
    for (; s < end && (quoted || *s != ','); s++) {
        if (*s == '"')
            quoted = !quoted;
        else if (*s == '\\' && quoted && s + 1 < end)
            s++;
    }
    return s;
}

void prefer_parse(const char *value, size_t len, struct prefer *prefer)
{
    const char *end = value + len;
    for (const char *s = value; s < end;) {
        const char *stop = element_end(s, end);
        preference_parse(s, stop, prefer);
        s = stop + 1;
    }
}
