/* What the files of this room share: the server's innards. */
#ifndef C9_API_PRIVATE_H
#define C9_API_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/keeper.h"
#include "api/kept.h"
#include "api/keys.h"
#include "api/router.h"
#include "base/work.h"
#include "service/service.h"

/* One for the server; everything but the flags and what locks itself is immutable once it has
 * started. */
struct api {
    struct service *service;
    struct router *router;
    struct work_pool *pool;
    struct keeper *keeper;
    struct keys *keys;
    struct kept *kept;
    char document_tag[17]; /* ETag of openapi.json */
    size_t max_body, body_memory;
    atomic_size_t bodies; /* bytes of memory that requests hold for their bodies */
    int64_t request_timeout, idle_timeout, heartbeat; /* µs */
    bool access_log;
    struct forwarded *forwarded; /* which proxies are trusted */
    atomic_bool draining;
    atomic_uint busy; /* requests being answered */
};

#endif
