/* Between libmicrohttpd's callbacks and the handlers. */
#ifndef C9_API_SERVE_H
#define C9_API_SERVE_H

#include <stddef.h>

struct api;
struct MHD_Daemon;

/* Starts a daemon with `threads` threads on a listening socket, which it takes over on success.
 * max: connections. Each callback's argument is the api. NULL on failure. */
struct MHD_Daemon *serve_start(struct api *api, int fd, unsigned threads, unsigned max);

#endif
