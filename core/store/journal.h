/* Journals as people see them, and as forks copy them. The engine's own statements are in
 * execution.h. */
#ifndef C9_STORE_JOURNAL_H
#define C9_STORE_JOURNAL_H

#include "host/storage.h"
#include "store/list.h"

/* Scope: execution. */
extern const struct list store_journal_list;

#endif
