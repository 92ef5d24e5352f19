/* The routes of commands.c's rows about people: tokens, organizations, users, teams, grants and the
 * audit log. */
#ifndef C9_CLIENT_COMMANDS_PEOPLE_H
#define C9_CLIENT_COMMANDS_PEOPLE_H

#include "client/command.h"

extern const struct route me_route;
extern const struct route token_create, token_list, token_get, token_rotate, token_revoke;
extern const struct route org_create, org_list, org_get, org_update, org_delete;
extern const struct route user_create, user_list, user_get, user_update, user_delete;
extern const struct route team_create, team_list, team_get, team_update, team_delete, team_members,
    team_add, team_remove;
extern const struct route grant_create, grant_list, grant_get, grant_delete;
extern const struct route audit_list, audit_verify;

#endif
