/* Pages of lists: complete and without repeats while rows come and go, cursors that cannot be
 * forged into anything, and plans that walk an index. */
#include "base/json.h"
#include "lib/store_world.h"
#include "store/agent.h"
#include "store/execution_view.h"
#include "store/list.h"
#include "store/persona.h"
#include "store/skill.h"
#include "store/token.h"
#include "store/version.h"

static struct world w;
static const struct c9d_value nobody = {.type = C9D_NULL};

static void personas(int from, int to)
{
    for (int i = from; i < to; i++) {
        autofree char *sql =
            xasprintf("INSERT INTO personas (id, name, description, prompt, user_id, "
                      "organization_id, created_at,"
                      " updated_at) VALUES ('p%03d', 'name %03d', '%s', 'x', 'ann', 'org', %d, 1)",
                      i, i * 7 % 100, i % 10 == 0 ? "50% of_it" : "other", i);
        world_sql(&w, sql);
    }
}

static json_t *page(const struct list *list, const struct list_args *args, struct error *err)
{
    json_t *found = NULL;
    const struct c9d_value scope[4] = {list_text("org"), list_text("ann"), list_int(1), nobody};
    return store_list(w.storage, list, args, scope, &found, err) == 0 ? found : NULL;
}

/* Walks all pages; between two, something is done. How many items, each once and in order. */
static int walk(const struct list *list, struct list_args args, const char *key, bool descending,
                void (*between)(int page))
{
    autofree char *last = NULL, *cursor = NULL;
    int n = 0;
    for (int p = 0; p < 100; p++) {
        error_auto err = ERROR_INIT;
        jx_auto *found = page(list, &args, &err);
        const json_t *items = json_object_get(found, "items");
        for (size_t i = 0; i < json_array_size(items); i++, n++) {
            const char *value = jx_str(json_array_get(items, i), key, "");
            if (last != NULL && (descending ? strcmp(value, last) >= 0 : strcmp(value, last) <= 0))
                return -1;
            free(last);
            last = xstrdup(value);
        }
        const char *next = jx_str(found, "nextCursor", NULL);
        free(cursor);
        args.cursor = cursor = next != NULL ? xstrdup(next) : NULL;
        if (cursor == NULL)
            return n;
        if (between != NULL)
            between(p);
    }
    return -2;
}

static void disturb(int at)
{
    /* Behind and before the place: new ones at both ends, and one already seen goes. */
    if (at > 5)
        return;
    autofree char *sql =
        xasprintf("INSERT INTO personas (id, name, prompt, user_id, organization_id,"
                  " created_at, updated_at) VALUES ('z%d', '!%d', 'x', 'ann', 'org',"
                  " 1, 1)",
                  at, at);
    world_sql(&w, sql);
    autofree char *gone = xasprintf("DELETE FROM personas WHERE id = 'p%03d'", 99 - at);
    world_sql(&w, gone);
}

static void pages_test(void)
{
    personas(0, 100);
    is_int(walk(&store_persona_list, (struct list_args){.limit = 7}, "id", true, NULL), 100,
           "100 items in pages of 7, newest first");
    is_int(walk(&store_persona_list, (struct list_args){.limit = 7, .sort = "createdAt"}, "id",
                false, NULL),
           100, "oldest first");
    is_int(walk(&store_persona_list, (struct list_args){.limit = 10, .sort = "name"}, "name", false,
                NULL),
           100, "by name, in pages that end exactly");
    is_int(walk(&store_persona_list, (struct list_args){.limit = 7}, "id", true, disturb), 100,
           "rows that come and go elsewhere change nothing in what is left");
    error_auto err = ERROR_INIT;
    jx_auto *one = page(&store_persona_list, &(struct list_args){.limit = 200}, &err);
    ok(json_is_null(json_object_get(one, "nextCursor")), "the last page has no cursor");
}

static size_t count(const struct list *list, const char *name, const char *value)
{
    error_auto err = ERROR_INIT;
    jx_auto *filters = json_pack("{s:s}", name, value);
    jx_auto *found = page(list, &(struct list_args){.limit = 200, .filters = filters}, &err);
    return found != NULL ? json_array_size(json_object_get(found, "items")) : 999;
}

static void filters_test(void)
{
    is_int(count(&store_persona_list, "name", "name 007"), 1, "a filter for equality");
    is_int(count(&store_persona_list, "text", "50% OF_IT"), 10,
           "text is found with its wildcards as they are");
    is_int(count(&store_persona_list, "text", "5_%"), 0, "which are no wildcards");
    is_int(count(&store_persona_list, "text", "name 00"), 10, "in any of its columns");
    is_int(count(&store_persona_list, "name", "' OR 1=1 --"), 0, "values are values");
    world_sql(&w, "UPDATE agents SET skillset = '[\"a_b\",\"c\"]'");
    is_int(count(&store_agent_list, "skill", "a_b"), 1, "a member of a set of names");
    is_int(count(&store_agent_list, "skill", "axb"), 0, "whole and exact");
    is_int(count(&store_agent_list, "skill", "a"), 0, "not a part of one");
}

static void refused(const struct list *list, struct list_args args, const char *says)
{
    error_auto err = ERROR_INIT;
    jx_auto *found = page(list, &args, &err);
    bool right = found == NULL && err.code == E_INVALID_REQUEST &&
                 strstr(err.message, says) != NULL &&
                 json_array_size(json_object_get(err.details, "validationErrors")) == 1;
    if (!ok(right, "refused: %s", says))
        note("%s", found != NULL ? "a page" : err.message);
}

static void refusals_test(void)
{
    const struct list *list = &store_execution_list;
    refused(list, (struct list_args){.limit = 201}, "limit: must be 1 to 200");
    refused(list, (struct list_args){.limit = -1}, "limit: ");
    refused(list, (struct list_args){.sort = "created"}, "sort: must be one of createdAt");
    refused(list, (struct list_args){.cursor = ""}, "cursor: ");
    refused(list, (struct list_args){.cursor = "!!!!"}, "cursor: ");
    refused(list, (struct list_args){.cursor = "eyJhIjoxfQ"}, "cursor: ");
    jx_auto *unknown = json_pack("{s:s}", "statu", "failed");
    refused(list, (struct list_args){.filters = unknown}, "did you mean 'status'?");
    jx_auto *choice = json_pack("{s:s}", "status", "done");
    refused(list, (struct list_args){.filters = choice}, "status: must be one of pending|running");
    jx_auto *empty = json_pack("{s:s}", "status", "");
    refused(list, (struct list_args){.filters = empty}, "status: must be one of");
    jx_auto *time = json_pack("{s:s}", "createdAfter", "yesterday");
    refused(list, (struct list_args){.filters = time}, "createdAfter: is not an RFC 3339 time");
    jx_auto *number = json_pack("{s:i}", "status", 1);
    refused(list, (struct list_args){.filters = number}, "status: must be a text");
}

/* A cursor is good for its own list and sort only. */
static void cursors_test(void)
{
    error_auto err = ERROR_INIT;
    jx_auto *found = page(&store_persona_list, &(struct list_args){.limit = 1}, &err);
    const char *cursor = jx_str(found, "nextCursor", "");
    ok(strspn(cursor, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
           strlen(cursor),
       "a cursor needs no escaping");
    refused(&store_persona_list, (struct list_args){.cursor = cursor, .sort = "name"}, "cursor: ");
    refused(&store_token_list, (struct list_args){.cursor = cursor}, "cursor: ");
    for (size_t i = 0; i < strlen(cursor); i++) {
        autofree char *bent = xstrdup(cursor);
        bent[i] = bent[i] == 'A' ? 'B' : 'A';
        json_decref(page(&store_persona_list, &(struct list_args){.cursor = bent}, NULL));
    }
    ok(true, "a bent one is refused or is another place, and never worse");
}

/* ---- plans ---- */

static int plan_row(void *arg, const struct c9d_value *columns, size_t n)
{
    char *plan = arg;
    size_t at = strlen(plan);
    snprintf(plan + at, 2048 - at, "%s; ", n > 3 ? columns[3].u.s : "");
    return 0;
}

static void plan_is(const struct list *list, struct list_args args, const char *index)
{
    error_auto err = ERROR_INIT;
    buf_auto sql = BUF_INIT;
    struct c9d_value params[32] = {{.type = C9D_NULL}};
    char plan[2048] = "";
    size_t n;
    buf_append_str(&sql, "EXPLAIN QUERY PLAN ");
    bool asked = store_list_sql(list, &args, &sql, &n, &err) == 0 &&
                 storage_query_values(w.storage, sql.data, params, n, plan_row, plan, &err) == 0;
    bool right = asked && strstr(plan, index) != NULL && strstr(plan, "SCAN") == NULL &&
                 strstr(plan, "TEMP B-TREE") == NULL;
    if (!ok(right, "%s%s%s: %s, in its order", list->name, args.filters != NULL ? " filtered" : "",
            args.cursor != NULL ? " from a cursor" : "", index))
        note("%s%s\n# %s", err.message, plan, sql.data != NULL ? sql.data : "");
}

static char *execution_cursor(const struct list *list, const char *sort)
{
    error_auto err = ERROR_INIT;
    jx_auto *found = page(list, &(struct list_args){.limit = 1, .sort = sort}, &err);
    return xstrdup(jx_str(found, "nextCursor", "none"));
}

static void plans_test(void)
{
    for (int i = 0; i < 3; i++) {
        autofree char *sql = xasprintf("INSERT INTO agent_executions (id, agent_id, agent_version,"
                                       " organization_id, triggered_by, available_at, created_at)"
                                       " VALUES ('e%d', 'agent', '1', 'org', 'ann', 1, 1)",
                                       i);
        world_sql(&w, sql);
    }
    autofree char *cursor = execution_cursor(&store_execution_list, NULL);
    jx_auto *failed = json_pack("{s:s}", "status", "failed");
    jx_auto *completed = json_pack("{s:s}", "status", "completed");
    jx_auto *times = json_pack("{s:s, s:s}", "createdAfter", "2026-01-01T00:00:00Z",
                               "createdBefore", "2026-02-01T00:00:00Z");
    const struct list *all = &store_execution_list, *of_agent = &store_agent_execution_list;
    plan_is(all, (struct list_args){0}, "agent_executions_page (organization_id=?)");
    plan_is(all, (struct list_args){.cursor = cursor},
            "agent_executions_page (organization_id=? AND id<?)");
    plan_is(all, (struct list_args){.filters = failed},
            "agent_executions_status (organization_id=? AND status=?)");
    plan_is(all, (struct list_args){.filters = failed, .cursor = cursor},
            "agent_executions_status (organization_id=? AND status=? AND id<?)");
    plan_is(all, (struct list_args){.filters = completed}, "agent_executions_page");
    plan_is(all, (struct list_args){.filters = times},
            "agent_executions_page (organization_id=? AND id>? AND id<?)");
    plan_is(all, (struct list_args){.sort = "createdAt"}, "agent_executions_page");
    plan_is(of_agent, (struct list_args){0}, "agent_executions_agent (agent_id=?)");
    plan_is(of_agent, (struct list_args){.filters = failed}, "agent_executions_agent");
    plan_is(&store_execution_log_list, (struct list_args){0},
            "execution_logs_page (execution_id=?)");
    plan_is(&store_agent_list, (struct list_args){0}, "agents_page (organization_id=?)");
    world_sql(&w, "INSERT INTO agents (id, name, user_id, organization_id, created_at, updated_at)"
                  " VALUES ('agent2', 'Agent 2', 'ann', 'org', 1, 1)");
    autofree char *agents = execution_cursor(&store_agent_list, NULL);
    plan_is(&store_agent_list, (struct list_args){.cursor = agents},
            "agents_page (organization_id=? AND (created_at,id)<(?,?))");
    plan_is(&store_token_list, (struct list_args){0}, "tokens_organization (organization_id=?)");
}

/* An id is made a moment before its row: bounds of time must not lose a row for it. */
static void times_test(void)
{
    world_sql(&w, "INSERT INTO agent_executions (id, agent_id, agent_version, organization_id,"
                  " triggered_by, available_at, created_at) VALUES"
                  " ('019b76da-a800-7000-8000-000000000001', 'agent', '1', 'org', 'ann', 1,"
                  " 1767225600000500)"); /* both of 2026-01-01T00:00:00.000 */
    is_int(count(&store_execution_list, "createdAfter", "2026-01-01T00:00:00.000499Z"), 1,
           "created after the microsecond before");
    is_int(count(&store_execution_list, "createdAfter", "2026-01-01T00:00:00.000500Z"), 0,
           "not after its own");
    is_int(count(&store_execution_list, "createdBefore", "2026-01-01T00:00:00.000501Z"), 1,
           "and before the one after");
}

int main(void)
{
    w = world_new(true, "");
    world_people(&w);
    pages_test();
    filters_test();
    refusals_test();
    cursors_test();
    plans_test();
    times_test();
    world_free(&w);
    return done_testing();
}
