/* The router: built from the document, literal before parameter; every row has its operation. */
#include "api/openapi_text.h"
#include "api/router.h"
#include "base/json.h"

#include "tap.h"

static json_t *document(void)
{
    error_auto err = ERROR_INIT;
    return jx_decode(openapi_text, (size_t)(openapi_text_end - openapi_text), "openapi.json", &err);
}

static const char *match(const struct router *router, const char *method, const char *path)
{
    const char *segments[8];
    size_t n = 0;
    static char text[200];
    snprintf(text, sizeof(text), "%s", path);
    char *rest = NULL;
    for (char *s = strtok_r(text, "/", &rest); s != NULL; s = strtok_r(NULL, "/", &rest))
        segments[n++] = s;
    const struct route *route = router_match(router, segments, n);
    const struct operation *operation = route != NULL ? route_operation(route, method) : NULL;
    return route == NULL ? "no route" : operation == NULL ? route->allow : operation->id;
}

static void test_matching(const struct router *router)
{
    is_str(match(router, "GET", "/v1/agents"), "listAgents", "a literal path");
    is_str(match(router, "HEAD", "/v1/agents"), "listAgents", "HEAD is GET");
    is_str(match(router, "GET", "/v1/agents/x"), "getAgent", "a parameter");
    is_str(match(router, "POST", "/v1/agents/validate"), "validateAgent", "a literal goes first");
    is_str(match(router, "POST", "/v1/agents/validate/versions"), "createVersion",
           "where only a parameter fits, it does");
    is_str(match(router, "DELETE", "/v1/agents"), "GET, HEAD, POST, OPTIONS", "another method");
    is_str(match(router, "get", "/v1/agents"), "GET, HEAD, POST, OPTIONS",
           "methods have their case");
    is_str(match(router, "GET", "/v1/agents/x/y/z/w"), "no route", "no such path");
    is_str(match(router, "GET", "/"), "no route", "nor the root");
    is_str(match(router, "GET", "/v1/{agentId}"), "no route", "braces are no wildcard");
}

static void build_fails(json_t *doc, const struct handler_row *rows, size_t n, const char *word,
                        const char *what)
{
    error_auto err = ERROR_INIT;
    struct router *router = router_new(doc, rows, n, &err);
    if (!ok(router == NULL && strstr(err.message, word) != NULL, "%s", what))
        note("%s", err.message);
    router_free(router);
}

static int nothing(struct request *request, struct reply *reply, struct error *err)
{
    (void)request;
    (void)reply;
    (void)err;
    return 0;
}

static void test_refusals(void)
{
    jx_auto *doc = document();
    json_t *agents = json_object_get(json_object_get(doc, "paths"), "/v1/agents");
    json_t *list = json_object_get(agents, "get");
    struct handler_row *rows = xcalloc(handler_table_len + 1, sizeof(*rows));
    memcpy(rows, handler_table, handler_table_len * sizeof(*rows));
    rows[handler_table_len] = (struct handler_row){"flyAgent", nothing, HANDLER_INLINE};
    build_fails(doc, rows, handler_table_len + 1, "flyAgent", "a row without an operation");
    build_fails(doc, rows + 1, handler_table_len - 1, "listAgents", "an operation without a row");
    free(rows);

    json_t *security = json_incref(json_object_get(list, "security"));
    json_object_set_new(list, "security", json_pack("[{s:[s]}]", "bearer", "agents:fly"));
    build_fails(doc, handler_table, handler_table_len, "agents:fly", "a scope that nobody knows");
    json_object_del(list, "security");
    build_fails(doc, handler_table, handler_table_len, "scope",
                "an operation that forgot its scope");
    json_object_set_new(list, "security", security);
    json_object_set_new(list, "operationId", json_string("createAgent"));
    build_fails(doc, handler_table, handler_table_len, "twice", "an operation that is there twice");
    json_object_set_new(list, "operationId", json_string("listAgents"));
    json_t *limit =
        json_object_get(json_object_get(json_object_get(doc, "components"), "parameters"), "Limit");
    json_object_set_new(limit, "schema",
                        json_pack("{s:s, s:s}", "type", "integer", "minimum", "x"));
    build_fails(doc, handler_table, handler_table_len, "Limit", "a schema that is none");
}

int main(void)
{
    error_auto err = ERROR_INIT;
    jx_auto *doc = document();
    struct router *router = router_new(doc, handler_table, handler_table_len, &err);
    if (!ok(router != NULL, "the document and the handler table fit"))
        note("%s", err.message);
    if (router != NULL)
        test_matching(router);
    router_free(router);
    test_refusals();
    return done_testing();
}
