#include "supervisor/guard.h"

#include <string.h>
#include <strings.h>

#include "base/network.h"

/* IANA IPv4 and IPv6 Special-Purpose Address Registries, and what embeds an IPv4 address. */
static const struct {
    const char *cidr, *what;
} special[] = {
    {"0.0.0.0/8", "this host"},
    {"10.0.0.0/8", "private"},
    {"100.64.0.0/10", "shared, carrier NAT"},
    {"127.0.0.0/8", "loopback"},
    {"169.254.0.0/16", "link-local, cloud metadata"},
    {"172.16.0.0/12", "private"},
    {"192.0.0.0/24", "protocol assignments"},
    {"192.0.2.0/24", "documentation"},
    {"192.88.99.0/24", "6to4 relay"},
    {"192.168.0.0/16", "private"},
    {"198.18.0.0/15", "benchmarking"},
    {"198.51.100.0/24", "documentation"},
    {"203.0.113.0/24", "documentation"},
    {"224.0.0.0/4", "multicast"},
    {"240.0.0.0/4", "reserved, broadcast"},
    {"::/128", "unspecified"},
    {"::1/128", "loopback"},
    {"::/96", "IPv4-compatible"},
    {"64:ff9b::/96", "NAT64"},
    {"64:ff9b:1::/48", "local NAT64"},
    {"100::/64", "discard"},
    {"2001::/23", "protocol assignments, Teredo"},
    {"2001:db8::/32", "documentation"},
    {"2002::/16", "6to4"},
    {"3fff::/20", "documentation"},
    {"5f00::/16", "segment routing"},
    {"fc00::/7", "unique local"},
    {"fe80::/10", "link-local"},
    {"fec0::/10", "site-local"},
    {"ff00::/8", "multicast"},
};

enum { NETWORKS_MAX = 64, HOSTS_MAX = 256 };

struct guard {
    struct network denied[countof(special)];
    struct network allowed[NETWORKS_MAX];
    size_t n_allowed;
    char *host_text, *hosts[HOSTS_MAX];
    size_t n_hosts;
};

const struct config_key guard_keys[] = {
    {"outbound", "hosts", CONFIG_LIST, "", 0, 0, NULL,
     "Hosts that skills may reach if their manifest names them too, such as api.example.org or "
     "*.example.org; empty: any."},
    {"outbound", "allow", CONFIG_LIST, "", 0, 0, NULL,
     "Networks inside the special-purpose ranges (loopback, private, link-local …) that skills may "
     "reach after all."},
};
const size_t guard_keys_n = countof(guard_keys);

struct guard *guard_new(const struct config *config, struct error *err)
{
    struct guard *g = xcalloc(1, sizeof(*g));
    for (size_t i = 0; i < countof(special); i++)
        if (network_parse(special[i].cidr, &g->denied[i]) < 0)
            abort(); /* the table above is wrong */
    autofree char *text = xstrdup(config_string(config, "outbound", NULL, "allow"));
    char *save = NULL;
    for (char *w = strtok_r(text, " ,\t", &save); w != NULL; w = strtok_r(NULL, " ,\t", &save)) {
        if (g->n_allowed == NETWORKS_MAX || network_parse(w, &g->allowed[g->n_allowed]) < 0) {
            error_set(
                err, E_CONFIG_INVALID,
                "%s: [outbound] allow: '%s' is not a network such as 10.1.0.0/16 (at most %d)",
                config_origin(config, "outbound", NULL, "allow"), w, NETWORKS_MAX);
            guard_free(g);
            return NULL;
        }
        g->n_allowed++;
    }
    g->host_text = xstrdup(config_string(config, "outbound", NULL, "hosts"));
    for (char *w = strtok_r(g->host_text, " ,\t", &save); w != NULL;
         w = strtok_r(NULL, " ,\t", &save)) {
        if (g->n_hosts == HOSTS_MAX) {
            error_set(err, E_CONFIG_INVALID, "%s: [outbound] hosts: more than %d patterns",
                      config_origin(config, "outbound", NULL, "hosts"), HOSTS_MAX);
            guard_free(g);
            return NULL;
        }
        g->hosts[g->n_hosts++] = w;
    }
    return g;
}

void guard_free(struct guard *g)
{
    if (g == NULL)
        return;
    free(g->host_text);
    free(g);
}

bool guard_address_allowed(const struct guard *g, const struct sockaddr *socket)
{
    uint8_t address[ADDRESS_SIZE];
    if (address_of_socket(socket, address) < 0)
        return false;
    for (size_t i = 0; i < g->n_allowed; i++)
        if (network_has(&g->allowed[i], address))
            return true;
    for (size_t i = 0; i < countof(g->denied); i++)
        if (network_has(&g->denied[i], address))
            return false;
    return true;
}

bool guard_host_matches(const char *pattern, const char *host)
{
    if (strcmp(pattern, "*") == 0)
        return true;
    if (pattern[0] != '*' || pattern[1] != '.')
        return strcasecmp(pattern, host) == 0;
    size_t tail = strlen(pattern + 1), len = strlen(host);
    return len > tail && strcasecmp(host + len - tail, pattern + 1) == 0;
}

bool guard_host_allowed(const struct guard *g, const char *host)
{
    for (size_t i = 0; i < g->n_hosts; i++)
        if (guard_host_matches(g->hosts[i], host))
            return true;
    return g->n_hosts == 0;
}

bool guard_host_in(const json_t *patterns, const char *host)
{
    size_t i;
    json_t *pattern;
    json_array_foreach ((json_t *)patterns, i, pattern)
        if (json_is_string(pattern) && guard_host_matches(json_string_value(pattern), host))
            return true;
    return false;
}
