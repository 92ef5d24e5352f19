/* If-Match and If-None-Match. */
#include "api/etag.h"

#include <ctype.h>
#include <string.h>

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && isblank((unsigned char)*p))
        p++;
    return p;
}

/* One entity-tag at p: its text between the quotes, and what follows it; NULL when there is none.
 */
static const char *tag_take(const char *p, const char *end, const char **text_r, size_t *len_r,
                            bool *weak_r)
{
    *weak_r = end - p >= 2 && p[0] == 'W' && p[1] == '/';
    if (*weak_r)
        p += 2;
    if (p == end || *p != '"')
        return NULL;
    const char *quote = memchr(p + 1, '"', (size_t)(end - p - 1));
    if (quote == NULL)
        return NULL;
    *text_r = p + 1;
    *len_r = (size_t)(quote - p - 1);
    return quote + 1;
}

bool etag_listed(const char *value, size_t len, const char *tag)
{
    const char *end = value + len, *p = skip_blanks(value, end), *text;
    size_t text_len;
    bool weak;
    if (p < end && *p == '*')
        return skip_blanks(p + 1, end) == end;
    while (p < end && (p = tag_take(p, end, &text, &text_len, &weak)) != NULL) {
        if (text_len == strlen(tag) && memcmp(text, tag, text_len) == 0)
            return true;
        p = skip_blanks(p, end);
        if (p < end && *p++ != ',')
            return false;
        p = skip_blanks(p, end);
    }
    return false;
}

int etag_if_match(const char *value, size_t len, char tag_r[ETAG_MAX], struct error *err)
{
    const char *end = value + len, *p = skip_blanks(value, end), *text;
    size_t text_len;
    bool weak;
    if (p < end && *p == '*' && skip_blanks(p + 1, end) == end)
        return 0;
    p = tag_take(p, end, &text, &text_len, &weak);
    if (p == NULL || skip_blanks(p, end) != end || text_len >= ETAG_MAX)
        return error_set(err, E_INVALID_REQUEST,
                         "header If-Match must be one entity tag in double quotes, as the ETag "
                         "header gave it, or *");
    if (weak)
        return error_set(err, E_PRECONDITION_FAILED,
                         "header If-Match has a weak entity tag, which never matches");
    memcpy(tag_r, text, text_len);
    tag_r[text_len] = '\0';
    return 1;
}
