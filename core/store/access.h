/* SQL of who may see which agent, for the statements of this room: constants to be put together.
 * What they give is judged in one place, core/service/permission.c. */
#ifndef C9_STORE_ACCESS_H
#define C9_STORE_ACCESS_H

#define ACCESS_BIT(p)                                                                              \
    "CASE " p ".permission_type WHEN 'read' THEN 1 WHEN 'write' THEN 2 WHEN 'execute' THEN 4"      \
    " ELSE 8 END"

/* enum store_grant of a user on agent a: his own grants, those of his teams, and STORE_GRANT_TEAM.
 */
#define ACCESS_GRANTS(user)                                                                        \
    "(SELECT COALESCE(SUM(g.bit), 0) FROM ("                                                       \
    "SELECT " ACCESS_BIT(                                                                          \
        "p") " AS bit FROM agent_permissions p"                                                    \
             " WHERE p.agent_id = a.id AND p.user_id = " user " UNION SELECT " ACCESS_BIT(         \
                 "t") " FROM agent_team_permissions t"                                             \
                      " JOIN team_members m ON m.team_id = t.team_id AND m.user_id = " user        \
                      " WHERE t.agent_id = a.id"                                                   \
                      " UNION SELECT 16 FROM team_members o JOIN teams c ON c.id = o.team_id"      \
                      " AND c.organization_id = a.organization_id"                                 \
                      " JOIN team_members m ON m.team_id = o.team_id AND m.user_id = " user        \
                      " WHERE o.user_id = a.user_id AND a.visibility = 'team') g)"

/* Whether agent a is visible to a user of its organization who does not see all of it. */
#define ACCESS_SEES(user)                                                                           \
    "(a.visibility IN ('organization', 'public') OR a.user_id = " user                              \
    " OR EXISTS (SELECT 1 FROM agent_audience v WHERE v.agent_id = a.id AND (v.audience_id = " user \
    " OR v.audience_id IN (SELECT m.team_id FROM team_members m WHERE m.user_id = " user "))))"

/* The audience of the agents a that `condition` picks, as its grants, and its owner's teams, have
 * it. Behind ACCESS_FORGET of the same agents. */
#define ACCESS_REMEMBER(condition)                                                                 \
    "INSERT INTO agent_audience (audience_id, agent_created_at, agent_id)"                         \
    " SELECT p.user_id, a.created_at, a.id FROM agents a"                                          \
    " JOIN agent_permissions p ON p.agent_id = a.id WHERE " condition                              \
    " UNION SELECT t.team_id, a.created_at, a.id FROM agents a"                                    \
    " JOIN agent_team_permissions t ON t.agent_id = a.id WHERE " condition                         \
    " UNION SELECT o.team_id, a.created_at, a.id FROM agents a"                                    \
    " JOIN team_members o ON o.user_id = a.user_id JOIN teams c ON c.id = o.team_id"               \
    " AND c.organization_id = a.organization_id WHERE a.visibility = 'team' AND " condition
#define ACCESS_FORGET(condition)                                                                   \
    "DELETE FROM agent_audience WHERE agent_id IN (SELECT a.id FROM agents a WHERE " condition ")"

/* A limit of table organizations' row: its settings' member, but no more than `max`. */
#define ORGANIZATION_LIMIT(member, max)                                                            \
    "CASE WHEN CAST(organizations.settings ->> '" member "' AS BIGINT) < " max                     \
    " THEN CAST(organizations.settings ->> '" member "' AS BIGINT) ELSE " max " END"

#endif
