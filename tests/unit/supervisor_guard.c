/* What outbound requests of skills may reach. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "supervisor/guard.h"
#include "tap.h"

static struct guard *guard_with(const char *hosts, const char *allow)
{
    error_auto err = ERROR_INIT;
    setenv("C9D_OUTBOUND_HOSTS", hosts, 1);
    setenv("C9D_OUTBOUND_ALLOW", allow, 1);
    struct config *config = config_load(NULL, &err);
    config_declare(config, guard_keys, guard_keys_n, &err);
    struct guard *guard = guard_new(config, &err);
    if (guard == NULL)
        note("%s", err.message);
    config_free(config);
    return guard;
}

static bool allowed(const struct guard *guard, const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return guard_address_allowed(guard, (struct sockaddr *)&v4);
    if (inet_pton(AF_INET6, text, &v6.sin6_addr) != 1)
        ok(false, "%s is an address", text);
    return guard_address_allowed(guard, (struct sockaddr *)&v6);
}

static const char *const denied[] = {
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.255",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "64:ff9b::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
};
static const char *const fine[] = {
    "1.1.1.1",         "8.8.8.8",         "9.255.255.255",  "11.0.0.0",       "100.63.255.255",
    "100.128.0.0",     "126.255.255.255", "172.15.255.255", "172.32.0.0",     "192.167.255.255",
    "223.255.255.255", "2606:4700::1111", "2a00:1450::1",   "::ffff:1.1.1.1",
};

static void test_addresses(void)
{
    struct guard *guard = guard_with("", "");
    for (size_t i = 0; i < countof(denied); i++)
        ok(!allowed(guard, denied[i]), "%s is refused", denied[i]);
    for (size_t i = 0; i < countof(fine); i++)
        ok(allowed(guard, fine[i]), "%s may be reached", fine[i]);
    struct sockaddr unix_address = {.sa_family = AF_UNIX};
    ok(!guard_address_allowed(guard, &unix_address), "a local socket is refused");
    guard_free(guard);
}

static void test_allowed_networks(void)
{
    struct guard *guard = guard_with("", "10.1.0.0/16, 127.0.0.1 fd00::/8");
    ok(allowed(guard, "10.1.200.3"), "a network that the operator names may be reached");
    ok(!allowed(guard, "10.2.0.1"), "its neighbour is refused");
    ok(allowed(guard, "127.0.0.1"), "a single address that the operator names may be reached");
    ok(!allowed(guard, "127.0.0.2"), "the next address is refused");
    ok(allowed(guard, "::ffff:127.0.0.1"), "mapped into IPv6, it is the same address");
    ok(allowed(guard, "fd12::1"), "an IPv6 network works as well");
    guard_free(guard);
    static const char *const wrong[] = {"10.0.0.0/33", "10.0.0/8", "localhost",
                                        "10.0.0.0/",   "::/129",   "10.0.0.0/8x"};
    for (size_t i = 0; i < countof(wrong); i++)
        ok(guard_with("", wrong[i]) == NULL, "'%s' is refused in the configuration", wrong[i]);
}

static void test_hosts(void)
{
    ok(guard_host_matches("example.org", "EXAMPLE.org"), "a host matches itself in any case");
    ok(!guard_host_matches("example.org", "a.example.org"),
       "a plain pattern does not match what is below it");
    ok(guard_host_matches("*.example.org", "a.b.example.org"), "a wildcard matches what is below");
    ok(!guard_host_matches("*.example.org", "example.org"),
       "a wildcard does not match the host itself");
    ok(!guard_host_matches("*.example.org", "badexample.org"), "a wildcard stops at the dot");
    ok(!guard_host_matches("*.example.org", ".example.org"), "an empty label is no host");
    ok(guard_host_matches("*", "anything"), "a lone star matches all");
    struct guard *guard = guard_with("api.example.org,*.internal.example", "");
    ok(guard_host_allowed(guard, "api.example.org"), "the operator's list names a host");
    ok(guard_host_allowed(guard, "x.internal.example"), "the operator's list names a domain");
    ok(!guard_host_allowed(guard, "example.org"), "what is not on the operator's list is refused");
    guard_free(guard);
    guard = guard_with("", "");
    ok(guard_host_allowed(guard, "example.org"), "without a list, any host");
    guard_free(guard);
}

int main(void)
{
    test_addresses();
    test_allowed_networks();
    test_hosts();
    return done_testing();
}
