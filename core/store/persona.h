/* Personas. */
#ifndef C9_STORE_PERSONA_H
#define C9_STORE_PERSONA_H

#include <stdint.h>

#include "base/uuid.h"
#include "store/list.h"

struct persona_row {
    const char *id, *name, *description /* or NULL */, *prompt, *user_id, *organization_id;
    int64_t at;
};
/* Conflicts when the name is taken. */
void store_persona_insert(struct storage_batch *batch, const struct persona_row *row);
/* Conflicts when the name is taken: user_id, organization_id are not looked at. */
void store_persona_update(struct storage_batch *batch, const struct persona_row *row);
/* Conflicts when an agent uses it. */
void store_persona_delete(struct storage_batch *batch, const char *id);

struct persona_meta {
    char user_id[UUID_SIZE];
    int64_t revision;
};
/* *persona_r is NULL when it is not there. */
int store_persona_get(struct storage *storage, const char *id, const char *organization_id,
                      struct persona_meta *meta_r, json_t **persona_r, struct error *err);
/* Array of {"id","name"} of the agents whose draft uses it, at most 20. */
int store_persona_agents(struct storage *storage, const char *id, json_t **agents_r,
                         struct error *err);
/* Scope: organization. */
extern const struct list store_persona_list;

#endif
