/* The store as the rest of c9d sees it: typed parameters in, rows out, over a storage plugin. */
#ifndef C9_HOST_STORAGE_H
#define C9_HOST_STORAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/plugin.h"
#include "base/error.h"
#include "host/host.h"

struct storage;

/* Opens plugin `name` with [storage] of config (its key `plugin` is the caller's). NULL on failure.
 */
struct storage *storage_open(struct host *host, struct config *config, const char *name,
                             struct error *err);
void storage_close(struct storage *storage); /* waits for what was submitted */
int storage_migrate(struct storage *storage, const struct c9d_migration *migrations, size_t n,
                    struct error *err);
bool storage_exclusive(struct storage *storage);
/* Another number after each commit, by whomever; 0: not known. */
uint64_t storage_version(struct storage *storage);
/* Names the tables, in a constant array, of which storage_definitions says nothing. Before the
 * first batch. */
void storage_set_busy(struct storage *storage, const char *const *tables, size_t n);
/* Another number after each commit of this process that changed anything but busy tables; what was
 * read since it was given is what there is while it stays. 0: not known, as other processes may
 * write. */
uint64_t storage_definitions(struct storage *storage);
/* Writes a consistent copy of what the configuration names to a new file, also beside a daemon. 0,
 * or -1: nothing is left of it. */
int storage_backup(struct host *host, struct config *config, const char *name, const char *path,
                   struct error *err);
/* For queue plugins' host struct. */
const struct c9d_storage_ops *storage_ops(const struct storage *storage);
struct c9d_storage *storage_raw(const struct storage *storage);

/* Parameters are given by a format, one letter each:
 *   s  const char *            text, NULL gives SQL NULL
 *   S  const char *, size_t    text of a length
 *   i  int64_t (cast it!)      integer
 *   I  const int64_t *         integer, NULL gives SQL NULL
 *   d  double                  real
 *   b  const void *, size_t    blob
 *   n                          SQL NULL                                                        */

/* Runs a SELECT on the calling thread (blocks for the disk at worst; not for the engine thread).
 * row is called for each row, columns valid during the call; non-zero return stops. 0 or -1. */
int storage_query(struct storage *storage, const char *sql, c9d_row_fn row, void *arg,
                  struct error *err, const char *format, ...);
/* For statements put together at run time (filters): parameters as an array. The SQL must come from
 * a bounded set of texts (placeholders, never values), since drivers keep prepared statements. */
int storage_query_values(struct storage *storage, const char *sql, const struct c9d_value *params,
                         size_t n, c9d_row_fn row, void *arg, struct error *err);

/* A batch under construction. Copies all parameters: nothing needs to outlive the call. sql must be
 * a constant. One thread at a time. */
struct storage_batch;
struct storage_batch *storage_batch_new(void);        /* never NULL */
void storage_batch_free(struct storage_batch *batch); /* only if not submitted; NULL is fine */
/* expect: exact number of rows that must change, or -1. row may be NULL; it is called on the
 * driver's thread, and for the same rows again when the batch is run again from its start. */
void storage_batch_add(struct storage_batch *batch, const char *sql, int64_t expect, c9d_row_fn row,
                       void *row_arg, const char *format, ...);
/* In the place of statement i, whose row_arg is forgotten. */
void storage_batch_replace(struct storage_batch *batch, size_t i, const char *sql, int64_t expect,
                           const char *format, ...);
size_t storage_batch_count(const struct storage_batch *batch);

/* Why a batch failed: E_STORAGE_FAILED for all that is nobody's fault; E_INVALID_STATE for a
 * conflict (the caller maps it to its own code), with details.statement = index. */

/* Another one will be submitted right behind it: the driver may wait for that. */
void storage_batch_more(struct storage_batch *batch, bool more);
/* Submits; the batch is consumed. done runs once on the driver's thread with NULL or the error
 * (borrowed during the call). */
void storage_submit(struct storage *storage, struct storage_batch *batch,
                    void (*done)(void *arg, struct error *err), void *arg);
/* Submits and waits. Not for the engine thread. 0 or -1. */
int storage_commit(struct storage *storage, struct storage_batch *batch, struct error *err);

#endif
