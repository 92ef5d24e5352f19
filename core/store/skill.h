/* Skills, their revisions, and the sources by SHA-256. */
#ifndef C9_STORE_SKILL_H
#define C9_STORE_SKILL_H

#include <stdint.h>

#include "base/hash.h"
#include "base/uuid.h"
#include "store/list.h"

struct skill_row {
    const char *id, *name, *version, *user_id, *organization_id, *sha256;
    const char *source;
    size_t source_len;
    const char *manifest; /* JSON text */
    int64_t at;
};
/* The source, whoever refers to it; nothing when it is there already. */
void store_source_insert(struct storage_batch *batch, const char *sha256, const char *source,
                         size_t len, const char *manifest);
/* A source that something in the same batch will refer to: conflicts when it is gone. */
void store_source_guard(struct storage_batch *batch, const char *sha256);
/* The skill (conflicts when the name is taken), its source and first revision: three statements,
 * the skill's is the second. */
void store_skill_insert(struct storage_batch *batch, const struct skill_row *row);
/* Source and revision of a skill that is there already, made the current one: three statements, of
 * which the last conflicts when the skill is gone. */
void store_skill_revise(struct storage_batch *batch, const struct skill_row *row);
/* Conflicts unless this is its source now (NULL: any). */
void store_skill_guard(struct storage_batch *batch, const char *id, const char *sha256);
/* Conflicts (first statement) when a draft of the organization names it. Sources that nothing
 * refers to any more go with it. */
void store_skill_delete(struct storage_batch *batch, const char *id, const char *name,
                        const char *organization_id);

struct skill_meta {
    char id[UUID_SIZE], user_id[UUID_SIZE], sha256[SHA256_HEX_SIZE];
    char name[65];
};
/* ref: name or id. sha256 NULL: the current revision. *skill_r, with source and manifest, is NULL
 * when it is not there; skill_r may be NULL (then meta_r->id is "" if not there). */
int store_skill_get(struct storage *storage, const char *organization_id, const char *ref,
                    const char *sha256, struct skill_meta *meta_r, json_t **skill_r,
                    struct error *err);
int store_skill_find(struct storage *storage, const char *organization_id, const char *ref,
                     struct skill_meta *meta_r, struct error *err);
/* New array of {"name","version","sha256","manifest"} of all that `names` (JSON array text) has, in
 * no order; missing ones are left out. */
int store_skill_manifests(struct storage *storage, const char *organization_id, const json_t *names,
                          json_t **skills_r, struct error *err);
/* The names there are, at most max, for hints. */
int store_skill_names(struct storage *storage, const char *organization_id, int64_t max,
                      json_t **names_r, struct error *err);
/* Array of {"id","name"} of the agents whose draft names it, at most 20. */
int store_skill_agents(struct storage *storage, const char *organization_id, const char *name,
                       json_t **agents_r, struct error *err);
/* {"source","manifest"}; *source_r is NULL when there is none. */
int store_source_get(struct storage *storage, const char *sha256, json_t **source_r,
                     struct error *err);
/* Scope: organization. */
extern const struct list store_skill_list;
/* Scope: skill. Newest first. */
extern const struct list store_skill_revision_list;

#endif
