/* Content-Type and Accept. */
#include "api/media.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { RANGES_MAX = 32 };

/* RFC 9110 §5.6.2 */
static bool token_char(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

struct cursor {
    const char *p, *end;
};

static void cursor_blanks(struct cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t'))
        c->p++;
}

static bool cursor_take(struct cursor *c, char wanted)
{
    cursor_blanks(c);
    if (c->p == c->end || *c->p != wanted)
        return false;
    c->p++;
    return true;
}

static size_t cursor_token(struct cursor *c, const char **token_r)
{
    *token_r = c->p;
    while (c->p < c->end && token_char(*c->p))
        c->p++;
    return (size_t)(c->p - *token_r);
}

/* "type/subtype" in lower case. */
static int cursor_type(struct cursor *c, char type_r[MEDIA_TYPE_MAX])
{
    const char *type, *subtype;
    cursor_blanks(c);
    size_t type_len = cursor_token(c, &type);
    if (type_len == 0 || c->p == c->end || *c->p++ != '/')
        return -1;
    size_t subtype_len = cursor_token(c, &subtype);
    size_t len = type_len + 1 + subtype_len;
    if (subtype_len == 0 || len >= MEDIA_TYPE_MAX)
        return -1;
    for (size_t i = 0; i < len; i++)
        type_r[i] = (char)tolower((unsigned char)type[i]);
    type_r[len] = '\0';
    return 0;
}

struct media_parameter {
    const char *name, *value;
    size_t name_len, value_len; /* of a quoted value what stands between the quotes */
};

/* The next ";name=value": 1, 0 at the end of the parameters, -1 when malformed. */
static int cursor_parameter(struct cursor *c, struct media_parameter *parameter_r)
{
    if (!cursor_take(c, ';'))
        return 0;
    cursor_blanks(c);
    parameter_r->name_len = cursor_token(c, &parameter_r->name);
    if (parameter_r->name_len == 0 || c->p == c->end || *c->p++ != '=')
        return -1;
    if (c->p < c->end && *c->p == '"') {
        parameter_r->value = ++c->p;
        while (c->p < c->end && *c->p != '"')
            c->p += *c->p == '\\' && c->p + 1 < c->end ? 2 : 1;
        if (c->p >= c->end)
            return -1;
        parameter_r->value_len = (size_t)(c->p++ - parameter_r->value);
        return 1;
    }
    parameter_r->value_len = cursor_token(c, &parameter_r->value);
    return parameter_r->value_len > 0 ? 1 : -1;
}

static bool equals(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

int media_content_type(const char *value, size_t len, char type_r[MEDIA_TYPE_MAX], bool *utf8_r)
{
    struct cursor c = {value, value + len};
    struct media_parameter parameter;
    int more;
    *utf8_r = true;
    if (cursor_type(&c, type_r) < 0)
        return -1;
    while ((more = cursor_parameter(&c, &parameter)) > 0) {
        if (equals(parameter.name, parameter.name_len, "charset"))
            *utf8_r = equals(parameter.value, parameter.value_len, "utf-8") ||
                      equals(parameter.value, parameter.value_len, "us-ascii");
    }
    cursor_blanks(&c);
    return more == 0 && c.p == c.end ? 0 : -1;
}

/* "0" to "1" with up to three decimals, in thousandths; -1 when it is none. */
static int quality_parse(const char *s, size_t len)
{
    if (len == 0 || len > 5 || (s[0] != '0' && s[0] != '1') || (len > 1 && s[1] != '.'))
        return -1;
    int quality = (s[0] - '0') * 1000;
    for (size_t i = 2, weight = 100; i < len; i++, weight /= 10) {
        if (!isdigit((unsigned char)s[i]))
            return -1;
        quality += (s[i] - '0') * (int)weight;
    }
    return quality <= 1000 ? quality : -1;
}

/* How exactly a range names a type: 3 the type itself, 2 its family, 1 anything, 0 not at all. */
static int range_match(const char *range, const char *type)
{
    size_t len = strlen(range);
    if (strcmp(range, type) == 0)
        return 3;
    if (strcmp(range, "*/*") == 0)
        return 1;
    return strcmp(range + len - 2, "/*") == 0 && strncmp(range, type, len - 1) == 0 ? 2 : 0;
}

struct range {
    char type[MEDIA_TYPE_MAX];
    int quality;
};

static int range_parse(struct cursor *c, struct range *range_r)
{
    struct media_parameter parameter;
    int more;
    if (cursor_type(c, range_r->type) < 0)
        return -1;
    range_r->quality = 1000;
    while ((more = cursor_parameter(c, &parameter)) > 0) {
        if (equals(parameter.name, parameter.name_len, "q"))
            range_r->quality = quality_parse(parameter.value, parameter.value_len);
        if (range_r->quality < 0)
            return -1;
    }
    return more;
}

/* The most exact range that names the type decides (RFC 9110 §12.5.1). */
static int offer_quality(const struct range *ranges, size_t n, const char *type)
{
    int best = 0, quality = 0;
    for (size_t i = 0; i < n; i++) {
        int match = range_match(ranges[i].type, type);
        if (match > best) {
            best = match;
            quality = ranges[i].quality;
        }
    }
    return quality;
}

int media_negotiate(const char *accept, size_t len, const char *const *offers, size_t n)
{
    struct range ranges[RANGES_MAX];
    struct cursor c = {accept, accept + len};
    size_t n_ranges = 0;
    int chosen = -1, best = 0;

    cursor_blanks(&c);
    if (c.p == c.end)
        return n > 0 ? 0 : -1;
    do {
        cursor_blanks(&c);
        if (c.p < c.end && *c.p == ',') /* an empty element of the list */
            continue;
        if (c.p == c.end)
            break;
        if (n_ranges == RANGES_MAX || range_parse(&c, &ranges[n_ranges]) < 0)
            return -1;
        n_ranges++;
    } while (cursor_take(&c, ','));
    cursor_blanks(&c);
    if (c.p != c.end)
        return -1;
    for (size_t i = 0; i < n; i++) {
        int quality = offer_quality(ranges, n_ranges, offers[i]);
        if (quality > best) {
            best = quality;
            chosen = (int)i;
        }
    }
    return chosen;
}
