/* Following an execution live: its events as they come, reconnecting where they broke off. What
 * there is to see goes to stderr, the output to stdout. One thread; one at a time (it owns SIGINT).
 */
#ifndef C9_CLIENT_FOLLOW_H
#define C9_CLIENT_FOLLOW_H

#include "client/client.h"

struct follow_options {
    bool quiet; /* nothing but the outcome */
};

/* begin: the POST that starts it (its Idempotency-Key makes it safe to repeat), or NULL to follow
 * the execution id (a UUID). Returns the exit code of its outcome. The first Ctrl-C cancels it, the
 * second leaves. */
int follow_run(struct client *client, const struct http_request *begin, const char *id,
               const struct follow_options *options);

/* One log record as a line: time, level, message, metadata. fd: where it will be printed. */
void follow_format_log(struct buf *out, const json_t *record, int fd);

#endif
