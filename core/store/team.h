/* Teams, and grants on agents to users and teams. */
#ifndef C9_STORE_TEAM_H
#define C9_STORE_TEAM_H

#include <stdint.h>

#include "base/uuid.h"
#include "store/agent.h"
#include "store/list.h"

struct team_row {
    const char *id, *organization_id, *name, *description /* or NULL */;
    int64_t at;
};
/* Conflicts while the organization has `max` teams, or as many as its settings.maxTeams. */
void store_team_limit(struct storage_batch *batch, const char *organization_id, int64_t max);
/* Conflicts when the name is taken. */
void store_team_insert(struct storage_batch *batch, const struct team_row *row);
/* Conflicts when it is not there, or the name is taken. */
void store_team_update(struct storage_batch *batch, const struct team_row *row);
/* With its grants. Conflicts when it is not there. Two statements. */
void store_team_delete(struct storage_batch *batch, const char *id);
/* The first statement conflicts unless the user is a member of the team's organization and in fewer
 * than STORE_TEAMS_MAX of its teams; to add a member again changes nothing. Three statements. */
void store_team_member_insert(struct storage_batch *batch, const char *id, const char *user_id,
                              int64_t at);
/* The first statement conflicts when the user is not in the team. Three statements. */
void store_team_member_delete(struct storage_batch *batch, const char *id, const char *user_id);

/* *team_r is NULL when it is not there. */
int store_team_get(struct storage *storage, const char *id, const char *organization_id,
                   json_t **team_r, struct error *err);
/* Scope: organization. */
extern const struct list store_team_list;
/* Scope: team. */
extern const struct list store_team_member_list;
/* Ids of the teams of the organization that the user is in. */
int store_user_teams(struct storage *storage, const char *organization_id, const char *user_id,
                     char teams_r[STORE_TEAMS_MAX][UUID_SIZE], size_t *n_r, struct error *err);

struct grant_row {
    const char *id, *agent_id, *permission, *granted_by;
    const char *user_id, *team_id; /* one of them; the other is NULL */
    int64_t at;
};
/* The first statement conflicts unless the user, or the team, belongs to the agent's organization.
 * The same grant again changes nothing. Four statements: store_agent_audience is among them. */
void store_grant_insert(struct storage_batch *batch, const struct grant_row *row);
/* Conflicts when it is not there. Three statements. */
void store_grant_delete(struct storage_batch *batch, const char *agent_id, const char *id,
                        bool team);
/* The grant by its id, or by whom and what (id NULL). NULL when it is not there. */
int store_grant_get(struct storage *storage, const struct grant_row *row, json_t **grant_r,
                    struct error *err);
/* Scope: agent. */
extern const struct list store_grant_list;

#endif
