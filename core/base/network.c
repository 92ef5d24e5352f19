#include "base/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { MAPPED = 12, MAPPED_BITS = 8 * MAPPED }; /* what stands before an IPv4 address */

static void address_of_ipv4(const void *ipv4, uint8_t address_r[ADDRESS_SIZE])
{
    static const uint8_t mapped[MAPPED] = {[10] = 0xff, [11] = 0xff};
    memcpy(address_r, mapped, sizeof(mapped));
    memcpy(address_r + MAPPED, ipv4, ADDRESS_SIZE - MAPPED);
}

int address_parse(const char *text, uint8_t address_r[ADDRESS_SIZE])
{
    struct in_addr ipv4;
    if (inet_pton(AF_INET, text, &ipv4) == 1) {
        address_of_ipv4(&ipv4, address_r);
        return 0;
    }
    return inet_pton(AF_INET6, text, address_r) == 1 ? 0 : -1;
}

int address_of_socket(const struct sockaddr *socket, uint8_t address_r[ADDRESS_SIZE])
{
    const void *address = socket;
    if (socket->sa_family == AF_INET)
        address_of_ipv4(&((const struct sockaddr_in *)address)->sin_addr, address_r);
    else if (socket->sa_family == AF_INET6)
        memcpy(address_r, &((const struct sockaddr_in6 *)address)->sin6_addr, ADDRESS_SIZE);
    else
        return -1;
    return 0;
}

int network_parse(const char *text, struct network *network_r)
{
    char address[INET6_ADDRSTRLEN];
    size_t len = strcspn(text, "/");
    if (len >= sizeof(address))
        return -1;
    memcpy(address, text, len);
    address[len] = '\0';
    if (address_parse(address, network_r->address) < 0)
        return -1;
    unsigned before = strchr(address, ':') == NULL ? MAPPED_BITS : 0, most = 128 - before;
    unsigned long bits = most;
    if (text[len] != '\0') {
        const char *digits = text + len + 1;
        char *end;
        bits = strtoul(digits, &end, 10);
        if (*digits < '0' || *digits > '9' || *end != '\0')
            return -1;
    }
    network_r->prefix = before + (unsigned)bits;
    return bits <= most ? 0 : -1;
}

bool network_has(const struct network *network, const uint8_t address[ADDRESS_SIZE])
{
    unsigned bytes = network->prefix / 8, bits = network->prefix % 8;
    if (memcmp(network->address, address, bytes) != 0)
        return false;
    return bits == 0 || (network->address[bytes] ^ address[bytes]) >> (8 - bits) == 0;
}
