/* A thread that removes what is older than [retention] says, a little at a time. */
#ifndef C9_SUPERVISOR_RETENTION_H
#define C9_SUPERVISOR_RETENTION_H

#include "base/config.h"
#include "base/error.h"
#include "host/storage.h"

struct retention;

extern const struct config_key retention_keys[];
extern const size_t retention_keys_n;

/* storage and config are borrowed. NULL with err. */
struct retention *retention_start(struct storage *storage, struct config *config,
                                  struct error *err);
void retention_stop(struct retention *retention); /* ends the batch under way; NULL is fine */

#endif
