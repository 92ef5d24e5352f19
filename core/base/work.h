/* A small pool of threads for what may block (a commit, a read, a name lookup). */
#ifndef C9_BASE_WORK_H
#define C9_BASE_WORK_H

#include "error.h"

struct work_pool;

/* Threads are started at once, named `name`, with all signals blocked. NULL on failure. */
struct work_pool *work_pool_new(const char *name, unsigned threads, struct error *err);
/* Runs fn(arg) on some thread of the pool, oldest first; any thread may call. The queue is not
 * bounded: who feeds it bounds what is in flight. */
void work_submit(struct work_pool *pool, void (*fn)(void *arg), void *arg);
/* Finishes what was submitted, then ends the threads. */
void work_pool_free(struct work_pool *pool);

#endif
