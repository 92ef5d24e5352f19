/* What outbound requests of skills may reach. Pure functions over immutable rules: any thread. */
#ifndef C9_SUPERVISOR_GUARD_H
#define C9_SUPERVISOR_GUARD_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/config.h"
#include "base/error.h"

extern const struct config_key guard_keys[];
extern const size_t guard_keys_n;

struct guard;
struct guard *guard_new(const struct config *config, struct error *err);
void guard_free(struct guard *guard);

/* Refuses loopback, link-local, private, shared, multicast, documentation and other special-purpose
 * ranges (the IANA registries of RFC 6890), also when mapped or translated into IPv6, unless
 * [outbound] allow names a network that holds the address. */
bool guard_address_allowed(const struct guard *guard, const struct sockaddr *address);
/* Whether the operator's [outbound] hosts (empty: all) has a pattern for host. */
bool guard_host_allowed(const struct guard *guard, const char *host);
/* "example.org" is itself; "*.example.org" is anything below it; "*" is all. Case does not matter.
 */
bool guard_host_matches(const char *pattern, const char *host);
/* Any string of the array. */
bool guard_host_in(const json_t *patterns, const char *host);

#endif
