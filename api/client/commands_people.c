#include "client/commands_people.h"

#include "base/json.h"
#include "client/term.h"

#define COLUMNS(c) .columns = (c), .n_columns = countof(c)

/* ---- tokens ---- */

/* The token alone goes to stdout, so that it can be sent to a file. */
static int token_show(struct client *client, const json_t *json)
{
    if (client->json)
        return client_print_json(json);
    buf_auto text = BUF_INIT;
    term_say("the token '%s' (%s); it is shown this once:", jx_str(json, "name", ""),
             jx_str(json, "id", ""));
    format_text(&text, json_object_get(json, "token"));
    buf_append_char(&text, '\n');
    return client_print(&text);
}

static const struct column token_columns[] = {
    {"NAME", "name", format_text, false},         {"ID", "id", format_text, false},
    {"CREATED", "createdAt", format_when, false}, {"USED", "lastUsedAt", format_when, false},
    {"EXPIRES", "expiresAt", format_when, false}, {"REVOKED", "revokedAt", format_when, false},
    {"SCOPES", "scopes", format_list, false},
};
static const struct from token_body[] = {
    {"name", NULL, FROM_TEXT, NULL},
    {"scopes", "--scope", FROM_LIST, NULL},
    {"expiresAt", "--expires", FROM_TIME, NULL},
    {"userId", "--user", FROM_TEXT, "user"},
    {"organizationId", "--org", FROM_TEXT, "org"},
    {NULL, NULL, 0, NULL},
};
static const struct from token_filters[] = {{"userId", "--user", FROM_TEXT, "user"},
                                            {NULL, NULL, 0, NULL}};
static const struct from rotate_body[] = {{"overlapSeconds", "--overlap", FROM_SECONDS, NULL},
                                          {NULL, NULL, 0, NULL}};
const struct route token_create = {
    .method = "POST", .path = "/v1/tokens", .body = token_body, .show = token_show};
const struct route token_list = {
    .method = "GET", .path = "/v1/tokens", .query = token_filters, COLUMNS(token_columns)};
const struct route token_get = {.method = "GET", .path = "/v1/tokens/{token}"};
const struct route token_rotate = {
    .method = "POST", .path = "/v1/tokens/{token}/rotate", .body = rotate_body, .show = token_show};
const struct route token_revoke = {
    .method = "DELETE", .path = "/v1/tokens/{token}", .done = "is revoked"};
const struct route me_route = {.method = "GET", .path = "/v1/me"};

/* ---- organizations ---- */

static const struct column org_columns[] = {
    {"NAME", "name", format_text, false},
    {"ID", "id", format_text, false},
    {"ROLE", "role", format_text, false},
    {"CREATED", "createdAt", format_when, false},
};
static const struct from org_body[] = {{"name", NULL, FROM_TEXT, NULL},
                                       {"settings", "--settings", FROM_JSON, NULL},
                                       {NULL, NULL, 0, NULL}};
static const struct from org_patch[] = {{"name", "--name", FROM_TEXT, NULL},
                                        {"settings", "--settings", FROM_JSON, NULL},
                                        {NULL, NULL, 0, NULL}};
const struct route org_create = {
    .method = "POST", .path = "/v1/organizations", .body = org_body, .members = "id name settings"};
const struct route org_list = {.method = "GET", .path = "/v1/organizations", COLUMNS(org_columns)};
const struct route org_get = {.method = "GET", .path = "/v1/organizations/{org}"};
const struct route org_update = {.method = "PATCH",
                                 .path = "/v1/organizations/{org}",
                                 .body = org_patch,
                                 .members = "id name settings updatedAt"};
const struct route org_delete = {.method = "DELETE",
                                 .path = "/v1/organizations/{org}",
                                 .ask = "delete the organization",
                                 .done = "is deleted"};

/* ---- users ---- */

static const struct column user_columns[] = {
    {"NAME", "name", format_text, false},         {"ID", "id", format_text, false},
    {"ROLE", "role", format_text, false},         {"KIND", "kind", format_text, false},
    {"SINCE", "memberSince", format_when, false}, {"EMAIL", "email", format_text, false},
};
static const struct from user_filters[] = {
    {"name", "--name", FROM_TEXT, NULL},
    {"text", "--text", FROM_TEXT, NULL},
    {"role", "--role", FROM_TEXT, NULL},
    {"kind", "--kind", FROM_TEXT, NULL},
    {"email", "--email", FROM_TEXT, NULL},
    {"sort", "--sort", FROM_TEXT, NULL},
    {NULL, NULL, 0, NULL},
};
static const struct from user_body[] = {
    {"name", NULL, FROM_TEXT, NULL},
    {"email", "--email", FROM_TEXT, NULL},
    {"role", "--role", FROM_TEXT, NULL},
    {"kind", "--kind", FROM_TEXT, NULL},
    {NULL, NULL, 0, NULL},
};
static const struct from user_patch[] = {
    {"name", "--name", FROM_TEXT, NULL},
    {"email", "--email", FROM_TEXT, NULL},
    {"role", "--role", FROM_TEXT, NULL},
    {NULL, NULL, 0, NULL},
};
static const struct from user_heir[] = {{"handOverTo", "--hand-over-to", FROM_TEXT, "user"},
                                        {NULL, NULL, 0, NULL}};
#define USER_BRIEF "id name email kind role"
const struct route user_create = {
    .method = "POST", .path = "/v1/users", .body = user_body, .members = USER_BRIEF};
const struct route user_list = {
    .method = "GET", .path = "/v1/users", .query = user_filters, COLUMNS(user_columns)};
const struct route user_get = {.method = "GET", .path = "/v1/users/{user}"};
const struct route user_update = {
    .method = "PATCH", .path = "/v1/users/{user}", .body = user_patch, .members = USER_BRIEF};
const struct route user_delete = {.method = "DELETE",
                                  .path = "/v1/users/{user}",
                                  .query = user_heir,
                                  .ask = "remove the user",
                                  .done = "is removed"};

/* ---- teams ---- */

static const struct column team_columns[] = {
    {"NAME", "name", format_text, false},
    {"ID", "id", format_text, false},
    {"MEMBERS", "members", format_count, true},
    {"DESCRIPTION", "description", format_text, false},
};
static const struct column team_member_columns[] = {
    {"NAME", "name", format_text, false},
    {"ID", "userId", format_text, false},
    {"KIND", "kind", format_text, false},
    {"SINCE", "createdAt", format_when, false},
};
static const struct from team_filters[] = {{"userId", "--user", FROM_TEXT, "user"},
                                           {"name", "--name", FROM_TEXT, NULL},
                                           {"sort", "--sort", FROM_TEXT, NULL},
                                           {NULL, NULL, 0, NULL}};
static const struct from team_body[] = {{"name", NULL, FROM_TEXT, NULL},
                                        {"description", "--description", FROM_TEXT, NULL},
                                        {NULL, NULL, 0, NULL}};
static const struct from team_patch[] = {{"name", "--name", FROM_TEXT, NULL},
                                         {"description", "--description", FROM_TEXT, NULL},
                                         {NULL, NULL, 0, NULL}};
#define TEAM_BRIEF "id name description members"
const struct route team_create = {
    .method = "POST", .path = "/v1/teams", .body = team_body, .members = TEAM_BRIEF};
const struct route team_list = {
    .method = "GET", .path = "/v1/teams", .query = team_filters, COLUMNS(team_columns)};
const struct route team_get = {.method = "GET", .path = "/v1/teams/{team}"};
const struct route team_update = {
    .method = "PATCH", .path = "/v1/teams/{team}", .body = team_patch, .members = TEAM_BRIEF};
const struct route team_delete = {
    .method = "DELETE", .path = "/v1/teams/{team}", .ask = "delete the team", .done = "is deleted"};
const struct route team_members = {
    .method = "GET", .path = "/v1/teams/{team}/members", COLUMNS(team_member_columns)};
const struct route team_add = {
    .method = "PUT", .path = "/v1/teams/{team}/members/{user}", .done = "has the user"};
const struct route team_remove = {
    .method = "DELETE", .path = "/v1/teams/{team}/members/{user}", .done = "is without the user"};

/* ---- grants ---- */

static const struct column grant_columns[] = {
    {"PERMISSION", "permission", format_text, false}, {"ID", "id", format_text, false},
    {"USER", "userId", format_text, false},           {"TEAM", "teamId", format_text, false},
    {"GRANTED", "grantedAt", format_when, false},
};
static const struct from grant_body[] = {
    {"permission", "--permission", FROM_TEXT, NULL},
    {"userId", "--user", FROM_TEXT, "user"},
    {"teamId", "--team", FROM_TEXT, "team"},
    {NULL, NULL, 0, NULL},
};
const struct route grant_create = {.method = "POST",
                                   .path = "/v1/agents/{agent}/grants",
                                   .body = grant_body,
                                   .members = "id agentId permission userId teamId"};
const struct route grant_list = {
    .method = "GET", .path = "/v1/agents/{agent}/grants", COLUMNS(grant_columns)};
const struct route grant_get = {.method = "GET", .path = "/v1/agents/{agent}/grants/{grant}"};
const struct route grant_delete = {
    .method = "DELETE", .path = "/v1/agents/{agent}/grants/{grant}", .done = "has one grant less"};

/* ---- the audit log ---- */

static const struct column audit_columns[] = {
    {"AT", "at", format_when, false},
    {"KIND", "kind", format_text, false},
    {"OPERATION", "operation", format_text, false},
    {"ON", "resourceType", format_text, false},
    {"ID", "resourceId", format_text, false},
    {"CODE", "code", format_text, false},
    {"USER", "userId", format_text, false},
    {"FROM", "address", format_text, false},
};
static const struct from audit_filters[] = {
    {"kind", "--kind", FROM_TEXT, NULL},
    {"operation", "--operation", FROM_TEXT, NULL},
    {"userId", "--user", FROM_TEXT, "user"},
    {"resourceType", "--type", FROM_TEXT, NULL},
    {"resourceId", "--id", FROM_TEXT, NULL},
    {"requestId", "--request", FROM_TEXT, NULL},
    {"after", "--after", FROM_TIME, NULL},
    {"before", "--before", FROM_TIME, NULL},
    {NULL, NULL, 0, NULL},
};
static const struct from audit_expect[] = {{"expect", "--expect", FROM_TEXT, NULL},
                                           {NULL, NULL, 0, NULL}};

/* Exits with 1 when the chain is broken. */
static int verification_show(struct client *client, const json_t *json)
{
    bool valid = jx_bool(json, "valid", false);
    buf_auto text = BUF_INIT;
    size_t i;
    json_t *problem;
    json_array_foreach (json_object_get(json, "problems"), i, problem) {
        buf_printf(&text, "position %lld: ", (long long)jx_int(problem, "position", 0));
        format_text(&text, json_object_get(problem, "message"));
        buf_append_char(&text, '\n');
    }
    buf_printf(&text, "%s: %lld entries, head ", valid ? "intact" : "NOT intact",
               (long long)jx_int(json, "entries", 0));
    format_text(&text, json_object_get(json, "head"));
    buf_append_char(&text, '\n');
    int rc = client->json ? client_print_json(json) : client_print(&text);
    return rc != EXIT_DONE ? rc : valid ? EXIT_DONE : EXIT_FAILED;
}

const struct route audit_list = {
    .method = "GET", .path = "/v1/audit", .query = audit_filters, COLUMNS(audit_columns)};
const struct route audit_verify = {
    .method = "GET", .path = "/v1/audit/verify", .query = audit_expect, .show = verification_show};
