#include "store/revision.h"

#define GUARD(table)                                                                               \
    "UPDATE " table " SET revision = revision WHERE id = $1 AND revision = COALESCE($2, revision)"

static const char *const guards[] = {
    [REVISED_AGENT] = GUARD("agents"),
    [REVISED_PERSONA] = GUARD("personas"),
    [REVISED_ORGANIZATION] = GUARD("organizations"),
    [REVISED_USER] = GUARD("users"),
    [REVISED_TEAM] = GUARD("teams"),
};

void store_revision_guard(struct storage_batch *batch, enum revised what, const char *id,
                          const int64_t *revision)
{
    storage_batch_add(batch, guards[what], 1, NULL, NULL, "sI", id, revision);
}
