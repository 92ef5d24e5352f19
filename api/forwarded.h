/* Who a request comes from when proxies stand before us: Forwarded (RFC 7239) and X-Forwarded-For,
 * taken only from the addresses that [http] trusted_proxies names. Any thread. */
#ifndef C9_API_FORWARDED_H
#define C9_API_FORWARDED_H

#include <stddef.h>

#include "base/error.h"

struct forwarded;

/* list: addresses and networks (10.0.0.0/8, fd00::/8), "unix" for who connects by a socket of the
 * file system; by blanks or commas. E_CONFIG_INVALID. NULL for an empty one is no error. */
int forwarded_new(const char *list, struct forwarded **forwarded_r, struct error *err);
void forwarded_free(struct forwarded *forwarded); /* NULL is fine */

/* address holds the peer's, as text; becomes the nearest one before it that is not trusted. values:
 * of the header, n of them in the order received; each a list. What cannot be read ends the way. */
void forwarded_apply(const struct forwarded *forwarded, const char *const *values, size_t n,
                     char *address, size_t size);

#endif
