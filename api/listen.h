/* Listening sockets. */
#ifndef C9_API_LISTEN_H
#define C9_API_LISTEN_H

#include <stddef.h>

#include "base/error.h"

enum { LISTEN_MAX = 8 };

struct listener {
    int fd;
    char *url;  /* "http://127.0.0.1:8420" or "unix:/run/c9d/c9d.sock" */
    char *path; /* of a Unix socket, to be removed; NULL for TCP */
};

/* What of an address is wrong as it is written, to be freed; NULL when nothing is. Any thread. */
char *listen_wrong(const char *address);
/* Binds "host:port", "[v6]:port" (port 0: any free one) or "unix:PATH". A Unix socket that nobody
 * answers on any more is replaced; its mode is 0660. 0 or -1. */
int listener_open(struct listener *listener, const char *address, struct error *err);
void listener_close(struct listener *listener); /* fd -1: closed by its new owner already */

#endif
