/* Journals as people see them, and as forks copy them. The engine's own statements are in
 * execution.h. */
#ifndef C9_STORE_JOURNAL_H
#define C9_STORE_JOURNAL_H

#include "host/storage.h"
#include "store/list.h"

/* Ids of the last executions of an agent's version that have ended by themselves and have their
 * journals yet, newest first, up to max, appended to `ids`. Blocks. */
int store_journal_recorded(struct storage *storage, const char *agent_id, const char *version,
                           int64_t max, json_t *ids, struct error *err);

/* Scope: execution. */
extern const struct list store_journal_list;

#endif
