#include "api/forwarded.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

enum { ADDRESS_MAX = 64, HOPS_MAX = 32 };

struct network {
    uint8_t bytes[16]; /* IPv4 as mapped into IPv6 */
    unsigned bits;
};

struct forwarded {
    bool unix_socket;
    size_t n;
    struct network *networks;
};

/* Any writing of an address as 16 bytes. 0 or -1. */
static int address_parse(const char *text, uint8_t bytes_r[16], bool *v4_r)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    *v4_r = inet_pton(AF_INET, text, bytes_r + sizeof(mapped)) == 1;
    if (*v4_r)
        memcpy(bytes_r, mapped, sizeof(mapped));
    else if (inet_pton(AF_INET6, text, bytes_r) != 1)
        return -1;
    return 0;
}

static int network_parse(const char *text, struct network *network_r)
{
    autofree char *copy = xstrdup(text);
    char *slash = strchr(copy, '/'), *end = NULL;
    bool v4;
    if (slash != NULL)
        *slash++ = '\0';
    if (address_parse(copy, network_r->bytes, &v4) < 0)
        return -1;
    unsigned long most = v4 ? 32 : 128, bits = slash != NULL ? strtoul(slash, &end, 10) : most;
    if (slash != NULL && (*slash < '0' || *slash > '9' || *end != '\0' || bits > most))
        return -1;
    network_r->bits = (unsigned)(v4 ? bits + 96 : bits);
    return 0;
}

int forwarded_new(const char *list, struct forwarded **forwarded_r, struct error *err)
{
    struct forwarded *f = xcalloc(1, sizeof(*f));
    autofree char *text = xstrdup(list != NULL ? list : "");
    char *rest = NULL;
    for (char *a = strtok_r(text, " ,\t", &rest); a != NULL; a = strtok_r(NULL, " ,\t", &rest)) {
        if (strcmp(a, "unix") == 0) {
            f->unix_socket = true;
            continue;
        }
        f->networks = xrealloc(f->networks, (f->n + 1) * sizeof(*f->networks));
        if (network_parse(a, &f->networks[f->n++]) == 0)
            continue;
        error_set(err, E_CONFIG_INVALID,
                  "[http] trusted_proxies: '%s' is no address, network or \"unix\"", a);
        forwarded_free(f);
        return -1;
    }
    *forwarded_r = f;
    return 0;
}

void forwarded_free(struct forwarded *forwarded)
{
    if (forwarded == NULL)
        return;
    free(forwarded->networks);
    free(forwarded);
}

static bool network_has(const struct network *network, const uint8_t bytes[16])
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(network->bytes, bytes, whole) != 0)
        return false;
    uint8_t mask = (uint8_t)(0xff00 >> rest);
    return rest == 0 || (network->bytes[whole] & mask) == (bytes[whole] & mask);
}

static bool trusted(const struct forwarded *f, const char *address)
{
    uint8_t bytes[16];
    bool v4;
    if (strcmp(address, "unix") == 0)
        return f->unix_socket;
    if (address_parse(address, bytes, &v4) < 0)
        return false;
    for (size_t i = 0; i < f->n; i++)
        if (network_has(&f->networks[i], bytes))
            return true;
    return false;
}

/* ---- one hop ---- */

/* The address in an element: X-Forwarded-For's is bare, Forwarded's behind for=; quoted, in
 * brackets, with a port, as it comes. false: there is none. */
static bool hop_read(const char *element, size_t len, char address_r[ADDRESS_MAX])
{
    char text[ADDRESS_MAX];
    uint8_t bytes[16];
    bool v4;
    while (len > 0 && (*element == ' ' || *element == '\t'))
        element++, len--;
    const char *begin = element, *end = element + len;
    for (const char *p = element; p + 4 <= end; p++)
        if (strncasecmp(p, "for=", 4) == 0 && (p == element || p[-1] == ';' || p[-1] == ' ')) {
            begin = p + 4;
            break;
        }
    const char *stop = memchr(begin, ';', (size_t)(end - begin));
    end = stop != NULL ? stop : end;
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (end - begin >= 2 && begin[0] == '"' && end[-1] == '"')
        begin++, end--;
    if (end == begin || (size_t)(end - begin) >= sizeof(text))
        return false;
    memcpy(text, begin, (size_t)(end - begin));
    text[end - begin] = '\0';
    char *bare = text, *colon = strchr(text, ':');
    if (text[0] == '[') {
        bare = text + 1;
        text[strcspn(text, "]")] = '\0';
    } else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
        *colon = '\0'; /* IPv4 with a port */
    }
    if (address_parse(bare, bytes, &v4) < 0)
        return false;
    snprintf(address_r, ADDRESS_MAX, "%s", bare);
    return true;
}

/* Backwards through one value; false: the way has ended. */
static bool value_walk(const struct forwarded *f, const char *value, int *hops, char *address,
                       size_t size)
{
    size_t end = strlen(value);
    for (;;) {
        char hop[ADDRESS_MAX];
        size_t begin = end;
        while (begin > 0 && value[begin - 1] != ',')
            begin--;
        if (!trusted(f, address) || (*hops)++ == HOPS_MAX ||
            !hop_read(value + begin, end - begin, hop))
            return false;
        snprintf(address, size, "%s", hop);
        if (begin == 0)
            return true;
        end = begin - 1;
    }
}

void forwarded_apply(const struct forwarded *f, const char *const *values, size_t n, char *address,
                     size_t size)
{
    int hops = 0;
    while (n-- > 0)
        if (!value_walk(f, values[n], &hops, address, size))
            return;
}
