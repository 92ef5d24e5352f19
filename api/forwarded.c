#include "api/forwarded.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/network.h"

enum { ADDRESS_MAX = 64, HOPS_MAX = 32 };

struct forwarded {
    bool unix_socket;
    size_t n;
    struct network *networks;
};

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

static bool trusted(const struct forwarded *f, const char *address)
{
    uint8_t bytes[ADDRESS_SIZE];
    if (strcmp(address, "unix") == 0)
        return f->unix_socket;
    if (address_parse(address, bytes) < 0)
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
    uint8_t bytes[ADDRESS_SIZE];
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
    if (address_parse(bare, bytes) < 0)
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
