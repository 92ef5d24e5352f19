/* Versions of agents. */
#ifndef C9_STORE_VERSION_H
#define C9_STORE_VERSION_H

#include <stdint.h>

#include "store/agent.h"

struct version_row {
    const char *id, *agent_id, *version, *config /* JSON text */, *changelog /* or NULL */,
        *user_id;
    int64_t at;
};
/* Conflicts when there is such a version. */
void store_version_insert(struct storage_batch *batch, const struct version_row *row);
/* Takes is_current from the others, then publishes this one: two statements, of which the second
 * conflicts unless it is a draft of this revision. changelog NULL: as it was. */
void store_version_publish(struct storage_batch *batch, const char *agent_id, const char *version,
                           int64_t revision, const char *pins, const char *changelog, int64_t at);
/* As that for one published before: conflicts unless it is published. */
void store_version_make_current(struct storage_batch *batch, const char *agent_id,
                                const char *version);
/* Conflicts unless it is a draft of this revision. changelog may be NULL. */
void store_version_edit(struct storage_batch *batch, const char *agent_id, const char *version,
                        int64_t revision, const char *config, const char *changelog);
/* Conflicts unless it is published. */
void store_version_deprecate(struct storage_batch *batch, const char *agent_id, const char *version,
                             const struct deprecation *deprecation);
/* Conflicts unless it is published or deprecated, is not the current one and no alias names it. */
void store_version_archive(struct storage_batch *batch, const char *agent_id, const char *version);
/* Conflicts unless it is a draft or archived, has this revision, and no execution of it is live. */
void store_version_delete(struct storage_batch *batch, const char *agent_id, const char *version,
                          int64_t revision);
/* Conflicts unless it is published or deprecated. */
void store_version_guard(struct storage_batch *batch, const char *agent_id, const char *version);

/* *version_r is NULL when it is not there. version NULL: the current one. */
int store_version_get(struct storage *storage, const char *agent_id, const char *version,
                      json_t **version_r, struct error *err);
/* What decides whether it may run, and what is said then. */
struct version_meta {
    char version[STORE_VERSION_SIZE], status[16]; /* version "": there is none */
    int64_t deprecated_at, sunset_at;             /* 0: not, none */
    bool current;
};
/* One indexed SELECT. version NULL: the current one. */
int store_version_meta(struct storage *storage, const char *agent_id, const char *version,
                       struct version_meta *meta_r, struct error *err);
/* Calls fn with each version there is. */
int store_version_each(struct storage *storage, const char *agent_id,
                       void (*fn)(void *arg, const struct version_meta *meta), void *arg,
                       struct error *err);
/* Why it was deprecated: a new string, or NULL. */
int store_version_reason(struct storage *storage, const char *agent_id, const char *version,
                         char **reason_r, struct error *err);
/* Scope: agent. */
extern const struct list store_version_list;

#endif
