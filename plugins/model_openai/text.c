/* Growing bytes, plain words, bounded JSON. */
#include "text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_LEAST = 256 };

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

void text_clear(struct text *text)
{
    text->len = 0;
    if (text->data != NULL)
        text->data[0] = '\0';
}

bool text_append(struct text *text, const void *data, size_t len)
{
    if (len >= SIZE_MAX / 4 - text->len)
        return false;
    if (text->cap - text->len <= len) {
        size_t cap = text->cap + text->cap / 2;
        if (cap < text->len + len + 1)
            cap = text->len + len + 1;
        if (cap < TEXT_LEAST)
            cap = TEXT_LEAST;
        char *grown = realloc(text->data, cap);
        if (grown == NULL)
            return false;
        text->data = grown;
        text->cap = cap;
    }
    if (len > 0)
        memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = '\0';
    return true;
}

int fault_set(struct c9d_fault *fault, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(fault->message, sizeof(fault->message), fmt, ap);
    va_end(ap);
    return C9D_E_FAILED;
}

/* The length of the UTF-8 character at s (RFC 3629: no overlong forms, no surrogates), or 0. */
static size_t character_length(const unsigned char *s, size_t len)
{
    static const struct {
        unsigned char first, last, low, high; /* the lead byte's range, the second byte's */
        size_t length;
    } forms[] = {
        {0x00, 0x7F, 0x00, 0x00, 1}, {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (s[0] < forms[i].first || s[0] > forms[i].last)
            continue;
        if (forms[i].length > len)
            return 0;
        if (forms[i].length > 1 && (s[1] < forms[i].low || s[1] > forms[i].high))
            return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if ((s[k] & 0xC0) != 0x80)
                return 0;
        return forms[i].length;
    }
    return 0;
}

static bool is_blank(unsigned char c)
{
    return c <= ' ' || c == 0x7F;
}

char *text_plain(char *out, size_t size, const char *data, size_t len)
{
    const unsigned char *s = (const unsigned char *)data, *end = s + len;
    while (s < end && is_blank(*s))
        s++;
    bool markup = s < end && *s == '<', space = false;
    size_t used = 0;
    while (s < end) {
        if (markup && *s == '<') {
            const unsigned char *close = memchr(s, '>', (size_t)(end - s));
            s = close != NULL ? close + 1 : end;
            space = true;
            continue;
        }
        if (is_blank(*s)) {
            space = true;
            s++;
            continue;
        }
        size_t n = character_length(s, (size_t)(end - s));
        size_t put = n > 0 ? n : 1;
        if (used + put + (space && used > 0) >= size)
            break;
        if (space && used > 0)
            out[used++] = ' ';
        space = false;
        memcpy(out + used, n > 0 ? (const char *)s : "?", put);
        used += put;
        s += put;
    }
    out[used] = '\0';
    return out;
}

/* Counts nesting and values without parsing; strings are skipped. NULL, or what is too much. */
static const char *text_excess(const char *data, size_t len, size_t values_max)
{
    size_t depth = 0, values = 0;
    bool string = false;
    for (size_t i = 0; i < len; i++) {
        char c = data[i];
        if (string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                string = false;
            continue;
        }
        if (c == '"')
            string = true;
        else if (c == '[' || c == '{')
            depth++, values++;
        else if (c == ',')
            values++;
        else if ((c == ']' || c == '}') && depth > 0)
            depth--;
        if (depth > TEXT_DEPTH_MAX)
            return "it is nested too deeply";
        if (values > values_max)
            return "it has too many values";
    }
    return NULL;
}

json_t *text_decode(const char *data, size_t len, size_t values_max, size_t flags, char *why,
                    size_t why_size)
{
    const char *excess = text_excess(data, len, values_max);
    if (excess != NULL) {
        snprintf(why, why_size, "%s", excess);
        return NULL;
    }
    json_error_t error;
    json_t *value = json_loadb(data, len, flags | JSON_ALLOW_NUL, &error);
    if (value == NULL) {
        char words[JSON_ERROR_TEXT_LENGTH];
        text_plain(words, sizeof(words), error.text, strlen(error.text));
        snprintf(why, why_size, "line %d, column %d: %s", error.line, error.column, words);
    }
    return value;
}
