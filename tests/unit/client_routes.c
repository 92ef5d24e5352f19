/* Commands beside api/openapi.json: every operation can be reached, with all that it takes. */
#include "base/json.h"
#include "client/command.h"

#include "tap.h"

/* Operations that no plain route reaches: the command that has them in its function, or why none
 * has. */
static const struct {
    const char *operation, *where;
} elsewhere[] = {
    {"getHealth", "c9ctl status"},
    {"getReadiness", "c9ctl status"},
    {"executeAgent", "c9ctl run"},
    {"executeChain", "c9ctl chain run"},
    {"streamExecution", "c9ctl run, execution follow"},
    {"listExecutionLogs", "c9ctl execution logs"},
    {"replayExecution", "c9ctl replay"},
    {"exportExecution", "c9ctl replay --export"},
    {"compareVersions", "c9ctl agent diff"},
    {"putAlias", "c9ctl alias set"},
    {"getSkill", "c9ctl skill get"},
    {"getSkillRevision", "c9ctl skill get --revision"},
    {"uploadSkill", "c9ctl skill upload"},
    {"sendEvents", "c9ctl event send"},
    {"testEvents", "c9ctl event send --test"},
    {"listAgentExecutions", "listExecutions with agentId does the same: execution list --agent"},
    {"listAgentSchedules", "listSchedules with agentId does the same: schedule list --agent"},
    {"listAgentHooks", "listHooks with agentId does the same: hook list --agent"},
    {"deliverHook", "for who has the endpoint's secret, and no token"},
};

/* What a route of c9ctl leaves out of an operation, and why. */
static const struct {
    const char *operation, *member, *why;
} left_out[] = {
    {"*", "limit", "--limit, of every list"},
    {"*", "cursor", "lists are read to the end, or to --limit"},
};

static json_t *document;

static const json_t *followed(const json_t *value)
{
    const char *ref = jx_str(value, "$ref", NULL);
    if (ref == NULL)
        return value;
    const json_t *at = document;
    for (const char *p = ref + 1; *p == '/';) { /* "#/components/schemas/Agent" */
        size_t n = strcspn(++p, "/");
        autofree char *name = xstrndup(p, n);
        at = json_object_get(at, name);
        p += n;
    }
    return followed(at);
}

/* Parameters of paths have other names there. */
static bool same_path(const char *a, const char *b)
{
    while (*a != '\0' && *b != '\0') {
        if (*a == '{' && *b == '{') {
            a += strcspn(a, "}");
            b += strcspn(b, "}");
        } else if (*a != *b) {
            return false;
        } else {
            a++, b++;
        }
    }
    return *a == *b;
}

static bool has(const struct from *from, const char *name)
{
    for (; from != NULL && from->name != NULL; from++)
        if (from->kind == FROM_WHOLE || strcmp(from->name, name) == 0)
            return true;
    return false;
}

static bool is_left_out(const char *operation, const char *name)
{
    for (size_t i = 0; i < countof(left_out); i++)
        if (strcmp(left_out[i].member, name) == 0 &&
            (strcmp(left_out[i].operation, "*") == 0 ||
             strcmp(left_out[i].operation, operation) == 0))
            return true;
    return false;
}

static void check_query(const json_t *operation, const struct route *route, const char *id)
{
    size_t i;
    json_t *row;
    json_array_foreach (json_object_get(operation, "parameters"), i, row) {
        const json_t *parameter = followed(row);
        const char *name = jx_str(parameter, "name", "");
        if (strcmp(jx_str(parameter, "in", ""), "query") == 0 && !is_left_out(id, name))
            ok(has(route->query, name), "%s: ?%s= has an option", id, name);
    }
}

static void check_body(const json_t *operation, const struct route *route, const char *id)
{
    const json_t *content = json_object_get(json_object_get(operation, "requestBody"), "content");
    const json_t *schema =
        followed(json_object_get(json_object_get(content, "application/json"), "schema"));
    const char *name;
    json_t *member;
    json_object_foreach (json_object_get(schema, "properties"), name, member)
        if (!is_left_out(id, name))
            ok(has(route->body, name), "%s: \"%s\" has an option", id, name);
}

static const struct route *route_find(const char *method, const char *path)
{
    for (size_t i = 0; i < commands_n; i++) {
        const struct route *route = commands[i].route;
        if (route != NULL && strcasecmp(route->method, method) == 0 && same_path(route->path, path))
            return route;
    }
    return NULL;
}

static void check_operation(const char *method, const char *path, const json_t *operation)
{
    const char *id = jx_str(operation, "operationId", ""), *where = NULL;
    const struct route *route = route_find(method, path);
    for (size_t i = 0; i < countof(elsewhere); i++)
        if (strcmp(elsewhere[i].operation, id) == 0)
            where = elsewhere[i].where;
    ok((route != NULL) != (where != NULL), "%s: %s", id,
       route != NULL   ? "a route"
       : where != NULL ? where
                       : "no command");
    if (route == NULL)
        return;
    check_query(operation, route, id);
    check_body(operation, route, id);
}

static void test_every_operation(void)
{
    const char *path, *method;
    json_t *item, *operation;
    json_object_foreach (json_object_get(document, "paths"), path, item)
        json_object_foreach (item, method, operation)
            if (json_is_object(operation))
                check_operation(method, path, operation);
}

static void test_every_route(void)
{
    for (size_t i = 0; i < commands_n; i++) {
        const struct route *route = commands[i].route;
        const char *path;
        json_t *item;
        bool found = false;
        if (route == NULL)
            continue;
        json_object_foreach (json_object_get(document, "paths"), path, item) {
            char method[8];
            size_t n = 0;
            for (; route->method[n] != '\0' && n + 1 < sizeof(method); n++)
                method[n] = (char)(route->method[n] | 0x20);
            method[n] = '\0';
            found =
                found || (same_path(route->path, path) && json_object_get(item, method) != NULL);
        }
        ok(found, "`%s %s` asks for what there is", commands[i].noun,
           commands[i].verb != NULL ? commands[i].verb : "");
    }
}

int main(void)
{
    json_error_t error;
    document = json_load_file("api/openapi.json", 0, &error);
    ok(document != NULL, "api/openapi.json is read");
    test_every_operation();
    test_every_route();
    json_decref(document);
    return done_testing();
}
