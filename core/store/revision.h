/* Revisions: the column that counts the edits of a row, which clients see as its ETag. */
#ifndef C9_STORE_REVISION_H
#define C9_STORE_REVISION_H

#include "host/storage.h"

enum revised { REVISED_AGENT, REVISED_PERSONA, REVISED_ORGANIZATION, REVISED_USER, REVISED_TEAM };
/* Conflicts unless the row is there with this revision (NULL: any). */
void store_revision_guard(struct storage_batch *batch, enum revised what, const char *id,
                          const int64_t *revision);

#endif
