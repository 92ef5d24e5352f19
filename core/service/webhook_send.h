/* Notifications for the one who sends them. What reads the store blocks: not for the engine's
 * thread. */
#ifndef C9_SERVICE_WEBHOOK_SEND_H
#define C9_SERVICE_WEBHOOK_SEND_H

#include "service/service.h"
#include "store/webhook.h"

struct webhook_message {
    struct webhook_delivery delivery;
    char *body;
    size_t len;
    struct webhook_message *next;
};
/* Claims what is due: a list of up to max, to be freed one by one. all: leases of a former life are
 * void. next_r: when to look again (wall µs; INT64_MAX: nothing is pending). */
int webhook_claim(struct service *service, int64_t max, bool all,
                  struct webhook_message **messages_r, int64_t *next_r, struct error *err);
void webhook_message_free(struct webhook_message *message);
/* webhook-signature of body at a time (seconds since 1970), by all secrets that sign; to be freed.
 */
char *webhook_sign(const struct webhook_message *message, int64_t seconds);

/* How an attempt went. */
struct webhook_attempt {
    int64_t at, took_us;
    int status;           /* of the answer; 0: there was none */
    const char *response; /* its beginning, UTF-8, or NULL */
    const char *error;    /* why there was none, or NULL */
};
/* Adds what follows from it to the batch: delivered, tried again later, or dead; the webhook's own
 * health. */
void webhook_settle(struct service *service, const struct webhook_message *message,
                    const struct webhook_attempt *attempt, struct storage_batch *batch);
int64_t webhook_timeout(const struct service *service);     /* of one request, µs */
int64_t webhook_concurrency(const struct service *service); /* requests at a time */

#endif
