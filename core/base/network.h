/* Addresses and networks of both families in one form: 16 bytes, IPv4 as ::ffff:a.b.c.d (RFC 4291
 * §2.5.5.2). Pure, any thread. */
#ifndef C9_BASE_NETWORK_H
#define C9_BASE_NETWORK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_SIZE 16

struct network {
    uint8_t address[ADDRESS_SIZE];
    unsigned prefix; /* bits, of 128 */
};

/* "192.0.2.7" or "2001:db8::7". 0 or -1. */
int address_parse(const char *text, uint8_t address_r[ADDRESS_SIZE]);
/* 0, or -1 when it is of neither family. */
int address_of_socket(const struct sockaddr *socket, uint8_t address_r[ADDRESS_SIZE]);
/* "10.0.0.0/8", "fd00::/8", or an address, which is a network of one. 0 or -1. */
int network_parse(const char *text, struct network *network_r);
bool network_has(const struct network *network, const uint8_t address[ADDRESS_SIZE]);

#endif
