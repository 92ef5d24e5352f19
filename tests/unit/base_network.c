/* Addresses and networks. */
#include "base/network.h"

#include <string.h>

#include "tap.h"

/* Whether the network holds the address; -1: one of them is none. */
static int has(const char *network_text, const char *address_text)
{
    struct network network;
    uint8_t address[ADDRESS_SIZE];
    if (network_parse(network_text, &network) < 0 || address_parse(address_text, address) < 0)
        return -1;
    return network_has(&network, address);
}

int main(void)
{
    static const struct {
        const char *network, *address;
        int has;
    } rows[] = {
        {"10.0.0.0/8", "10.255.0.1", 1},
        {"10.0.0.0/8", "11.0.0.1", 0},
        {"192.0.2.128/25", "192.0.2.129", 1},
        {"192.0.2.128/25", "192.0.2.127", 0},
        {"0.0.0.0/0", "203.0.113.9", 1},
        {"0.0.0.0/0", "::1", 0},
        {"::/0", "203.0.113.9", 1},
        {"127.0.0.1", "127.0.0.1", 1},
        {"127.0.0.1", "127.0.0.2", 0},
        {"127.0.0.0/8", "::ffff:127.0.0.1", 1},
        {"::ffff:10.0.0.0/104", "10.1.2.3", 1},
        {"fd00::/8", "fdff::1", 1},
        {"fd00::/8", "fe00::1", 0},
        {"2001:db8::/33", "2001:db8:7fff::", 1},
        {"2001:db8::/33", "2001:db8:8000::", 0},
        {"::1", "::1", 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        is_int(has(rows[i].network, rows[i].address), rows[i].has, "%s and %s", rows[i].network,
               rows[i].address);
    static const char *const wrong[] = {
        "",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0/8",
        "::1/129",
        "::1/1x",
        "10.0.0.0/ 8",
        "example.org",
        "10.0.0.0/8/8",
        "::1/99999999999999999",
        "10.0.0.0/4294967297",
        "1111:2222:3333:4444:5555:6666:7777:8888:9",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        is_int(has(wrong[i], "::1"), -1, "'%s' is no network", wrong[i]);
    return done_testing();
}
