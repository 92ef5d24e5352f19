/* Binding addresses. */
#include "api/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/cleanup.h"

enum { BACKLOG = 1024 };
#define UNIX "unix:"

static void addrinfo_cleanup(struct addrinfo **list)
{
    if (*list != NULL)
        freeaddrinfo(*list);
}

/* The address in force, which differs from the one asked for when the port was 0. */
static char *url_of(int fd, struct error *err)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    char host[INET6_ADDRSTRLEN], port[8];
    if (getsockname(fd, (struct sockaddr *)&address, &len) < 0 ||
        getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        error_set(err, E_INTERNAL, "cannot tell the address of a listening socket");
        return NULL;
    }
    bool v6 = address.ss_family == AF_INET6;
    return xasprintf("http://%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

static int tcp_bind(const struct addrinfo *info, const char *address, struct error *err)
{
    const int on = 1;
    autofd int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_errno(err, E_CONFIG_INVALID, "[http] listen %s: socket", address);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
        return errno == EADDRINUSE
                   ? error_set(err, E_CONFIG_INVALID,
                               "[http] listen %s: another process listens there, perhaps another "
                               "c9d; stop it, or set another address",
                               address)
                   : error_errno(err, E_CONFIG_INVALID, "[http] listen %s", address);
    return move_fd(&fd);
}

/* Splits "host:port" and "[v6]:port" in place. */
static int address_split(char *text, char **host_r, char **port_r)
{
    char *colon = strrchr(text, ':');
    if (colon == NULL || colon[1] == '\0' || colon == text)
        return -1;
    *colon = '\0';
    *port_r = colon + 1;
    *host_r = text;
    if (text[0] == '[' && colon[-1] == ']') {
        colon[-1] = '\0';
        *host_r = text + 1;
    } else if (strchr(text, ':') != NULL) {
        return -1;
    }
    return 0;
}

/* getaddrinfo takes a port of any number, and the kernel its last 16 bits. */
static bool port_fits(const char *port)
{
    return strspn(port, "0123456789") == strlen(port) && strlen(port) <= 5 && atoi(port) <= 65535;
}

char *listen_wrong(const char *address)
{
    static const struct sockaddr_un room;
    if (strncmp(address, UNIX, strlen(UNIX)) == 0) {
        const char *path = address + strlen(UNIX);
        return path[0] == '/' && strlen(path) < sizeof(room.sun_path)
                   ? NULL
                   : xasprintf("[http] listen %s: the path must be absolute and shorter than %zu",
                               address, sizeof(room.sun_path));
    }
    autofree char *text = xstrdup(address);
    char *host, *port;
    if (address_split(text, &host, &port) < 0)
        return xasprintf("[http] listen '%s' is none of HOST:PORT, [V6]:PORT, unix:PATH", address);
    return port_fits(port)
               ? NULL
               : xasprintf("[http] listen %s: the port must be from 0 to 65535", address);
}

static int tcp_open(struct listener *listener, const char *address, struct error *err)
{
    const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                                   .ai_socktype = SOCK_STREAM};
    cleanup(addrinfo_cleanup) struct addrinfo *found = NULL;
    autofree char *text = xstrdup(address);
    char *host, *port;
    if (address_split(text, &host, &port) < 0)
        abort(); /* listen_wrong has looked */
    int failed = getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, port, &hints, &found);
    if (failed != 0)
        return error_set(err, E_CONFIG_INVALID, "[http] listen %s: %s", address,
                         gai_strerror(failed));
    listener->fd = tcp_bind(found, address, err);
    if (listener->fd < 0)
        return -1;
    listener->url = url_of(listener->fd, err);
    return listener->url != NULL ? 0 : -1;
}

/* Removes a socket file that nobody listens on any more. */
static int unix_clear(const struct sockaddr_un *address, struct error *err)
{
    struct stat st;
    if (lstat(address->sun_path, &st) < 0)
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return error_set(err, E_CONFIG_INVALID,
                         "[http] listen unix:%s: there is a file that is no "
                         "socket",
                         address->sun_path);
    autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
        return error_set(err, E_CONFIG_INVALID,
                         "[http] listen unix:%s: another process listens "
                         "there",
                         address->sun_path);
    return unlink(address->sun_path) == 0
               ? 0
               : error_errno(err, E_CONFIG_INVALID, "[http] listen unix:%s", address->sun_path);
}

static int unix_open(struct listener *listener, const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    if (unix_clear(&address, err) < 0)
        return -1;
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0 || bind(listener->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return error_errno(err, E_CONFIG_INVALID, "[http] listen unix:%s", path);
    listener->path = xstrdup(path);
    listener->url = xasprintf("unix:%s", path);
    if (chmod(path, 0660) < 0 || listen(listener->fd, BACKLOG) < 0)
        return error_errno(err, E_CONFIG_INVALID, "[http] listen unix:%s", path);
    return 0;
}

int listener_open(struct listener *listener, const char *address, struct error *err)
{
    *listener = (struct listener){.fd = -1};
    autofree char *wrong = listen_wrong(address);
    if (wrong != NULL)
        return error_set(err, E_CONFIG_INVALID, "%s", wrong);
    int failed = strncmp(address, UNIX, strlen(UNIX)) == 0
                     ? unix_open(listener, address + strlen(UNIX), err)
                     : tcp_open(listener, address, err);
    if (failed < 0)
        listener_close(listener);
    return failed;
}

void listener_close(struct listener *listener)
{
    if (listener->fd >= 0)
        close(listener->fd);
    if (listener->path != NULL)
        unlink(listener->path);
    free(listener->path);
    free(listener->url);
    *listener = (struct listener){.fd = -1};
}
