/* What the files about time travel share. */
#ifndef C9_SERVICE_JOURNAL_PRIVATE_H
#define C9_SERVICE_JOURNAL_PRIVATE_H

#include "service/execution-private.h"
#include "service/journal.h"
#include "service/service-private.h"

#define journal_auto cleanup(journal_copy_clear) struct journal_copy

void journal_copy_remove(struct journal_copy *copy, size_t i);
/* Of an execution as execution_find gives it. E_INVALID_STATE when its journal was removed. */
int journal_copy_load(struct service *service, const struct execution_meta *meta,
                      const json_t *execution, struct journal_copy *copy_r, struct error *err);
json_t *journal_copy_to_json(const struct journal_copy *copy);
int journal_copy_from_json(const json_t *list, struct journal_copy *copy_r, struct error *err);

#endif
