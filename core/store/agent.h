/* Agents: the drafts. */
#ifndef C9_STORE_AGENT_H
#define C9_STORE_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "store/list.h"

/* The members of an AgentConfig as columns; JSON as text. */
struct agent_columns {
    const char *name, *description, *persona_id; /* the last two may be NULL */
    const char *skillset;
    const char *input_schema, *output_schema; /* may be NULL */
    const char *trigger_mode, *trigger_config, *execution_config, *visibility, *metadata;
};
/* One statement: conflicts unless the organization has fewer agents than max, and than its
 * settings.maxAgents. */
void store_agent_limit(struct storage_batch *batch, const char *organization_id, int64_t max);
/* Conflicts when the name is taken. One statement, and one more for the visibility `team`. */
void store_agent_insert(struct storage_batch *batch, const char *id, const char *user_id,
                        const char *organization_id, const struct agent_columns *columns,
                        int64_t at);
/* Counts the revision up. Conflicts when the name is taken. Behind it two statements more:
 * store_agent_audience. */
void store_agent_update(struct storage_batch *batch, const char *id,
                        const struct agent_columns *columns, int64_t at);
/* Works out anew whom grants and the visibility `team` show the agent: behind every change of its
 * grants, visibility or owner. Two statements. */
void store_agent_audience(struct storage_batch *batch, const char *id);
/* With everything that hangs from it; conflicts while executions of it are pending or running, and
 * unless it is a draft or archived, or `force`. */
void store_agent_delete(struct storage_batch *batch, const char *id, bool force);
/* When and why something was deprecated. */
struct deprecation {
    int64_t at, sunset_at; /* µs; sunset_at 0: none */
    const char *reason;    /* or NULL */
};
/* Conflicts unless it is published. */
void store_agent_deprecate(struct storage_batch *batch, const char *id,
                           const struct deprecation *deprecation);
/* Conflicts unless it is published or deprecated. */
void store_agent_archive(struct storage_batch *batch, const char *id, int64_t at);
/* Conflicts unless it is a draft or published. */
void store_agent_published(struct storage_batch *batch, const char *id, const char *version,
                           int64_t at);

enum store_grant {
    STORE_GRANT_READ = 1,
    STORE_GRANT_WRITE = 2,
    STORE_GRANT_EXECUTE = 4,
    STORE_GRANT_ADMIN = 8,
    STORE_GRANT_TEAM = 16 /* no grant: the visibility is `team`, and he is in a team of the owner */
};

#define STORE_VERSION_SIZE 65 /* versions have at most 64 characters */
struct agent_meta {
    char id[UUID_SIZE], user_id[UUID_SIZE], organization_id[UUID_SIZE]; /* id "": not there */
    char visibility[16], status[16], current_version[STORE_VERSION_SIZE];
    int64_t revision;
    bool chain;      /* a chain, which is executed as an agent of its id */
    unsigned grants; /* enum store_grant, of the user asked for and his teams */
};
/* One indexed SELECT. user_id: whose grants; agent_r may be NULL, and *agent_r is when it is not
 * there. */
int store_agent_get(struct storage *storage, const char *id, const char *user_id,
                    struct agent_meta *meta_r, json_t **agent_r, struct error *err);
int store_agent_get_by_name(struct storage *storage, const char *organization_id, const char *name,
                            const char *user_id, struct agent_meta *meta_r, json_t **agent_r,
                            struct error *err);
/* When and why it was deprecated; the reason is a new string or NULL, in *reason_r alone. */
int store_agent_deprecation(struct storage *storage, const char *id,
                            struct deprecation *deprecation_r, char **reason_r, struct error *err);
/* All of an organization. Scope: organization. */
extern const struct list store_agent_list;
#define STORE_TEAMS_MAX 20 /* of one user in one organization */
/* The same list, as text (store_list_text), of what a user sees by visibility, ownership, his
 * grants and those of his teams. Read along indexes in the order of createdAt: other orders cost
 * what he sees. */
int store_agent_list_seen(struct storage *storage, const struct list_args *args,
                          const char *organization_id, const char *user_id,
                          char (*teams)[UUID_SIZE], size_t n_teams, struct buf *page,
                          struct error *err);

#endif
