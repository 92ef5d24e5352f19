/* libmicrohttpd answering a constant, with c9d's flags and threads: what GET /v1/agents/{id} is
 * measured against.
 *
 *     api_constant BODY_BYTES THREADS HEADERS
 *
 * Prints its port, then serves until standard input ends. HEADERS: "Name: value" lines in one
 * argument. */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

static struct MHD_Response *response;

/* Answers in the second call: an answer in the first forces "Connection: close". */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **context)
{
    (void)cls, (void)url, (void)method, (void)version, (void)data, (void)size;
    if (*context == NULL) {
        *context = response;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, response);
}

static void add_headers(char *lines)
{
    for (char *at = NULL, *line = strtok_r(lines, "\n", &at); line != NULL;
         line = strtok_r(NULL, "\n", &at)) {
        char *value = strstr(line, ": ");
        if (value == NULL)
            continue;
        *value = '\0';
        MHD_add_response_header(response, line, value + 2);
    }
}

static int listen_any(struct sockaddr_in *address_r)
{
    socklen_t len = sizeof(*address_r);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    *address_r =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || bind(fd, (struct sockaddr *)address_r, len) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)address_r, &len) < 0)
        exit(1);
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    size_t size = strtoul(argv[1], NULL, 10);
    unsigned threads = (unsigned)strtoul(argv[2], NULL, 10);
    char *body = xmalloc(size), byte;
    memset(body, 'x', size);
    response = MHD_create_response_from_buffer(size, body, MHD_RESPMEM_MUST_FREE);
    add_headers(argv[3]);
    struct sockaddr_in address;
    int fd = listen_any(&address);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC, 0, NULL, NULL,
        on_request, NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_THREAD_POOL_SIZE,
        threads > 1 ? threads : 0, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (daemon == NULL)
        return 1;
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    MHD_stop_daemon(daemon);
    MHD_destroy_response(response);
    return 0;
}
