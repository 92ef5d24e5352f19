/* Formats of the Internet's names: addresses, hosts, e-mail, URIs. */
#include <arpa/inet.h>
#include <string.h>

#include "schema/schema-private.h"

static bool is_alpha(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_hex(char c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* inet_pton takes dotted decimals without leading zeros and nothing else. */
static bool address(int family, const char *s, size_t len)
{
    char text[INET6_ADDRSTRLEN + 1];
    unsigned char binary[sizeof(struct in6_addr)];
    if (len >= sizeof(text) || memchr(s, '\0', len) != NULL)
        return false;
    memcpy(text, s, len);
    text[len] = '\0';
    return inet_pton(family, text, binary) == 1;
}

bool format_ipv4(const char *s, size_t len)
{
    return address(AF_INET, s, len);
}

bool format_ipv6(const char *s, size_t len)
{
    return address(AF_INET6, s, len);
}

/* One label, RFC 1123 §2.1. "--" at the third place is kept for A-labels (RFC 5891 §4.2.3.1),
 * which have to be the Punycode of something that may be a label. */
static bool host_label(const char *s, size_t len)
{
    if (len == 0 || len > 63 || s[0] == '-' || s[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_alpha(s[i]) && !is_digit(s[i]) && s[i] != '-')
            return false;
    if (len < 4 || s[2] != '-' || s[3] != '-')
        return true;
    return (s[0] | 0x20) == 'x' && (s[1] | 0x20) == 'n' && format_a_label(s + 4, len - 4);
}

bool format_hostname(const char *s, size_t len)
{
    if (len == 0 || len > 253)
        return false;
    for (size_t start = 0, i = 0; i <= len; i++) {
        if (i < len && s[i] != '.')
            continue;
        if (!host_label(s + start, i - start))
            return false;
        start = i + 1;
    }
    return true;
}

/* RFC 5321 §4.1.2: a quoted string or atoms with dots between them. */
static size_t email_local(const char *s, size_t len)
{
    size_t i = 0;
    if (len > 0 && s[0] == '"') {
        for (i = 1; i < len && s[i] != '"'; i++) {
            if (s[i] == '\\')
                i++;
            if (i >= len || s[i] < ' ' || s[i] > '~')
                return 0;
        }
        return i < len ? i + 1 : 0;
    }
    for (; i < len && s[i] != '@'; i++) {
        bool dot = s[i] == '.' && i > 0 && s[i - 1] != '.' && i + 1 < len && s[i + 1] != '@';
        if (!is_alpha(s[i]) && !is_digit(s[i]) && !dot &&
            (s[i] == '\0' || strchr("!#$%&'*+-/=?^_`{|}~", s[i]) == NULL))
            return 0;
    }
    return i;
}

bool format_email(const char *s, size_t len)
{
    size_t local = email_local(s, len);
    if (local == 0 || local > 64 || local + 1 >= len || s[local] != '@')
        return false;
    s += local + 1;
    len -= local + 1;
    if (s[0] != '[')
        return format_hostname(s, len);
    if (s[len - 1] != ']')
        return false;
    if (len > 6 && strncasecmp(s + 1, "IPv6:", 5) == 0)
        return format_ipv6(s + 6, len - 7);
    return format_ipv4(s + 1, len - 2);
}

/* Characters of RFC 3986's unreserved and sub-delims, %XX, and those in `more`, all of [s, end). */
static bool uri_characters(const char *s, const char *end, const char *more)
{
    for (; s < end; s++) {
        if (*s == '%') {
            if (end - s < 3 || !is_hex(s[1]) || !is_hex(s[2]))
                return false;
            s += 2;
        } else if (!is_alpha(*s) && !is_digit(*s) &&
                   (*s == '\0' ||
                    (strchr("-._~!$&'()*+,;=", *s) == NULL && strchr(more, *s) == NULL))) {
            return false;
        }
    }
    return true;
}

/* "[…]": an IPv6 address or IPvFuture. */
static bool uri_ip_literal(const char *s, const char *end)
{
    if (end - s < 2 || end[-1] != ']')
        return false;
    s++;
    end--;
    if (s == end || (*s | 0x20) != 'v')
        return format_ipv6(s, (size_t)(end - s));
    const char *dot = memchr(s, '.', (size_t)(end - s));
    if (dot == NULL || dot == s + 1 || dot + 1 == end)
        return false;
    for (const char *c = s + 1; c < dot; c++)
        if (!is_hex(*c))
            return false;
    return memchr(dot, '%', (size_t)(end - dot)) == NULL && uri_characters(dot + 1, end, ":");
}

static bool uri_authority(const char *s, const char *end)
{
    const char *at = memchr(s, '@', (size_t)(end - s));
    if (at != NULL) {
        if (!uri_characters(s, at, ":"))
            return false;
        s = at + 1;
    }
    const char *port = end;
    while (port > s && is_digit(port[-1]))
        port--;
    if (port > s && port[-1] == ':')
        end = port - 1;
    return s < end && *s == '[' ? uri_ip_literal(s, end) : uri_characters(s, end, "");
}

/* What follows the scheme, or the whole of a relative reference. */
static bool uri_rest(const char *s, const char *end)
{
    const char *fragment = memchr(s, '#', (size_t)(end - s));
    if (fragment != NULL) {
        if (!uri_characters(fragment + 1, end, ":@/?"))
            return false;
        end = fragment;
    }
    const char *query = memchr(s, '?', (size_t)(end - s));
    if (query != NULL) {
        if (!uri_characters(query + 1, end, ":@/?"))
            return false;
        end = query;
    }
    if (end - s >= 2 && s[0] == '/' && s[1] == '/') {
        const char *path = memchr(s + 2, '/', (size_t)(end - s - 2));
        path = path != NULL ? path : end;
        if (!uri_authority(s + 2, path))
            return false;
        s = path;
    }
    return uri_characters(s, end, ":@/");
}

/* Bytes of "scheme:", or 0. */
static size_t uri_scheme(const char *s, size_t len)
{
    size_t i = 0;
    if (len == 0 || !is_alpha(s[0]))
        return 0;
    while (i < len &&
           (is_alpha(s[i]) || is_digit(s[i]) || s[i] == '+' || s[i] == '-' || s[i] == '.'))
        i++;
    return i < len && s[i] == ':' ? i + 1 : 0;
}

bool format_uri(const char *s, size_t len)
{
    size_t scheme = uri_scheme(s, len);
    return scheme > 0 && uri_rest(s + scheme, s + len);
}

bool format_uri_reference(const char *s, size_t len)
{
    size_t scheme = uri_scheme(s, len);
    if (scheme > 0)
        return uri_rest(s + scheme, s + len);
    /* A colon in the first segment would make what is before it look like a scheme. */
    for (size_t i = 0; i < len && s[i] != '/' && s[i] != '?' && s[i] != '#'; i++)
        if (s[i] == ':')
            return false;
    return uri_rest(s, s + len);
}
