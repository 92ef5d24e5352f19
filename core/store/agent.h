/* Agents: the drafts. */
#ifndef C9_STORE_AGENT_H
#define C9_STORE_AGENT_H

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
/* One statement: conflicts unless the organization has fewer agents than max. */
void store_agent_limit(struct storage_batch *batch, const char *organization_id, int64_t max);
/* Conflicts when the name is taken. */
void store_agent_insert(struct storage_batch *batch, const char *id, const char *user_id,
                        const char *organization_id, const struct agent_columns *columns,
                        int64_t at);
/* Conflicts unless the agent is there with this revision (NULL: any). */
void store_agent_guard(struct storage_batch *batch, const char *id, const int64_t *revision);
/* Counts the revision up. Conflicts when the name is taken. */
void store_agent_update(struct storage_batch *batch, const char *id,
                        const struct agent_columns *columns, int64_t at);
/* With everything that hangs from it; conflicts while executions of it are pending or running. */
void store_agent_delete(struct storage_batch *batch, const char *id);
/* Conflicts when it is archived, or gone. */
void store_agent_published(struct storage_batch *batch, const char *id, const char *version,
                           int64_t at);

enum store_grant {
    STORE_GRANT_READ = 1,
    STORE_GRANT_WRITE = 2,
    STORE_GRANT_EXECUTE = 4,
    STORE_GRANT_ADMIN = 8
};

#define STORE_VERSION_SIZE 65 /* versions have at most 64 characters */
struct agent_meta {
    char id[UUID_SIZE], user_id[UUID_SIZE], organization_id[UUID_SIZE]; /* id "": not there */
    char visibility[16], status[16], current_version[STORE_VERSION_SIZE];
    int64_t revision;
    unsigned grants; /* enum store_grant, of the user asked for */
};
/* One indexed SELECT. user_id: whose grants; agent_r may be NULL, and *agent_r is when it is not
 * there. */
int store_agent_get(struct storage *storage, const char *id, const char *user_id,
                    struct agent_meta *meta_r, json_t **agent_r, struct error *err);
int store_agent_get_by_name(struct storage *storage, const char *organization_id, const char *name,
                            const char *user_id, struct agent_meta *meta_r, json_t **agent_r,
                            struct error *err);
/* Scope: organization, user, 1 when he sees private ones of others too. */
extern const struct list store_agent_list;

#endif
