/* What is removed when it is old enough: in small batches, so that the writer is never held. */
#ifndef C9_STORE_RETENTION_H
#define C9_STORE_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "host/storage.h"

/* Executions that ended before a time, in that order; the place behind the last one seen is kept in
 * the store, so that none is looked at twice. */
struct retention_place {
    int64_t completed_at;
    char id[UUID_SIZE];
};
/* From where it was kept under this name; the beginning when it never was. */
int store_retention_place(struct storage *storage, const char *name,
                          struct retention_place *place_r, struct error *err);
void store_retention_keep(struct storage_batch *batch, const char *name,
                          const struct retention_place *place);
/* Up to max behind place; places_r[i] are theirs. Returns how many, or -1. Blocks. */
int store_retention_ended(struct storage *storage, const struct retention_place *place,
                          int64_t before, int64_t max, struct retention_place *places_r,
                          struct error *err);

/* Up to max rows of one execution. The count (set before the batch is done, on the driver's thread)
 * tells how many there were: with as many as max, there may be more. */
struct retention_count {
    int64_t n;
};
void store_retention_journal(struct storage_batch *batch, const char *id, int64_t max,
                             struct retention_count *count);
void store_retention_events(struct storage_batch *batch, const char *id, int64_t max,
                            struct retention_count *count);
void store_retention_logs(struct storage_batch *batch, const char *id, int64_t max,
                          struct retention_count *count);
/* The row, and all that still hangs from it; nothing when it has not ended. */
void store_retention_execution(struct storage_batch *batch, const char *id);

#endif
