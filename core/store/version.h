/* Versions of agents. */
#ifndef C9_STORE_VERSION_H
#define C9_STORE_VERSION_H

#include <stdint.h>

#include "store/list.h"

struct version_row {
    const char *id, *agent_id, *version, *config /* JSON text */, *changelog /* or NULL */,
        *user_id;
    int64_t at;
};
/* Conflicts when there is such a version. */
void store_version_insert(struct storage_batch *batch, const struct version_row *row);
/* Takes is_current from the others, then publishes this one: two statements, of which the second
 * conflicts when it is published already. changelog NULL: as it was. */
void store_version_publish(struct storage_batch *batch, const char *agent_id, const char *version,
                           const char *pins, const char *changelog, int64_t at);

/* *version_r is NULL when it is not there. version NULL: the current one. */
int store_version_get(struct storage *storage, const char *agent_id, const char *version,
                      json_t **version_r, struct error *err);
/* Calls fn with the text of each version there is. */
int store_version_each(struct storage *storage, const char *agent_id,
                       void (*fn)(void *arg, const char *version), void *arg, struct error *err);
/* Scope: agent. */
extern const struct list store_version_list;

#endif
