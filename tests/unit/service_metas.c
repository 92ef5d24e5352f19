/* What is kept of agents and versions answers as the store would, whatever was changed meanwhile.
 */
#include "service/metas.h"

#include "lib/store_world.h"

static struct world w;
static struct metas *metas;

static int commit(const char *sql)
{
    struct storage_batch *batch = storage_batch_new();
    storage_batch_add(batch, sql, 1, NULL, NULL, "");
    return world_commit(&w, batch);
}

static const char *agent_status(const char *user)
{
    static struct agent_meta meta;
    error_auto err = ERROR_INIT;
    if (metas_agent(metas, w.storage, "a1", user, &meta, &err) < 0)
        return "failed";
    return meta.id[0] != '\0' ? meta.status : "none";
}

static unsigned agent_grants(const char *user)
{
    struct agent_meta meta;
    error_auto err = ERROR_INIT;
    return metas_agent(metas, w.storage, "a1", user, &meta, &err) == 0 ? meta.grants : ~0u;
}

static const char *current(void)
{
    static struct version_meta meta;
    error_auto err = ERROR_INIT;
    return metas_version(metas, w.storage, "a1", NULL, &meta, &err) == 0 ? meta.version : "failed";
}

static void fill(void)
{
    static const char *const rows[] = {
        "INSERT INTO organizations (id, name, created_at, updated_at) VALUES ('o', 'o', 1, 1)",
        "INSERT INTO users (id, name, created_at, updated_at) VALUES ('ann', 'ann', 1, 1)",
        "INSERT INTO users (id, name, created_at, updated_at) VALUES ('bob', 'bob', 1, 1)",
    };
    for (size_t i = 0; i < countof(rows); i++)
        is_int(commit(rows[i]), 0, "a row: %.30s", rows[i]);
}

static void agent_test(void)
{
    is_str(agent_status("ann"), "none", "an agent that is not there");
    is_int(commit("INSERT INTO agents (id, name, user_id, organization_id, created_at, updated_at)"
                  " VALUES ('a1', 'a', 'ann', 'o', 1, 1)"),
           0, "is made");
    is_str(agent_status("ann"), "draft", "and is there at once");
    is_int(commit("UPDATE agents SET status = 'published' WHERE id = 'a1'"), 0, "published");
    is_str(agent_status("ann"), "published", "is seen at once");
    is_int(agent_grants("bob"), 0, "another has no grants");
    is_int(
        commit("INSERT INTO agent_permissions (id, agent_id, user_id, permission_type, granted_at)"
               " VALUES ('g', 'a1', 'bob', 'execute', 1)"),
        0, "granted");
    is_int(agent_grants("bob"), STORE_GRANT_EXECUTE, "he has it at once");
    is_int(agent_grants("ann"), 0, "and he alone");
    is_int(commit("DELETE FROM agent_permissions WHERE id = 'g'"), 0, "revoked");
    is_int(agent_grants("bob"), 0, "and has not, at once");
}

static void version_test(void)
{
    is_str(current(), "", "no version is current");
    is_int(commit("INSERT INTO agent_versions (id, agent_id, version, config, published_at,"
                  " is_current, created_at) VALUES ('v1', 'a1', '1.0.0', '{}', 1, 1, 1)"),
           0, "one is published");
    is_str(current(), "1.0.0", "and is the current one at once");
    is_int(commit("UPDATE agent_versions SET version = '1.0.1' WHERE id = 'v1'"), 0, "changed");
    is_str(current(), "1.0.1", "is seen at once");
}

/* Executions change nothing of what is kept: what is behind the store's back is not seen then,
 * which shows that it was not asked. */
static void busy_test(void)
{
    uint64_t before = storage_definitions(w.storage);
    is_int(before != 0, 1, "definitions have a number");
    is_str(agent_status("ann"), "published", "asked once");
    is_int(commit("INSERT INTO agent_executions (id, agent_id, agent_version, organization_id,"
                  " triggered_by, available_at, created_at)"
                  " VALUES ('e', 'a1', '1.0.1', 'o', 'ann', 1, 1)"),
           0, "an execution");
    is_int(commit("UPDATE agent_executions SET status = 'completed' WHERE id = 'e'"), 0, "ends");
    is_int(storage_definitions(w.storage) == before, 1, "the number stays");
    is_int(world_int(&w, "SELECT count(*) FROM agents"), 1, "a query");
    is_int(storage_definitions(w.storage) == before, 1, "leaves it too");
    is_int(commit("UPDATE agent_executions_none SET x = 1"), -1, "what fails");
    is_int(storage_definitions(w.storage) == before, 0, "and is of no table known counts");
}

int main(void)
{
    w = world_new(true, "");
    metas = metas_new();
    fill();
    agent_test();
    version_test();
    busy_test();
    metas_free(metas);
    world_free(&w);
    return done_testing();
}
