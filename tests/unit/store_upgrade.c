/* A database of an older c9d: its rows are there after the migrations that it lacks. */
#include "base/file.h"
#include "host/storage.h"
#include "lib/store_world.h"
#include "store/store.h"
#include "tap.h"

enum { LAST_OLD = 8 };

/* The tables as they were after migration n. */
static void migrate_to(struct world *w, int64_t n)
{
    error_auto err = ERROR_INIT;
    struct buf texts[LAST_OLD];
    struct c9d_migration migrations[LAST_OLD];
    for (int64_t i = 0; i < n; i++) {
        autofree char *path = xasprintf("core/store/schema_%d.sql", (int)i + 1);
        texts[i] = (struct buf)BUF_INIT;
        if (file_read(path, 1 << 20, E_INTERNAL, &texts[i], &err) < 0)
            bail(path, &err);
        migrations[i] = (struct c9d_migration){i + 1, texts[i].data};
    }
    if (storage_migrate(w->storage, migrations, (size_t)n, &err) < 0)
        bail("older migrations", &err);
    for (int64_t i = 0; i < n; i++)
        buf_free(&texts[i]);
}

#define EXECUTION(id, agent, parent)                                                               \
    "INSERT INTO agent_executions (id, agent_id, agent_version, organization_id, status,"          \
    " triggered_by, parent_id, available_at, created_at)"                                          \
    " VALUES ('" id "', '" agent "', '1.0.0', 'org', 'completed', 'ann', " parent ", 1, 1)"

static void upgraded(int64_t from)
{
    error_auto err = ERROR_INIT;
    struct world w = world_bare(true, "");
    migrate_to(&w, from);
    world_people(&w);
    world_sql(&w, EXECUTION("e1", "agent", "NULL"));
    world_sql(&w, EXECUTION("e2", "agent", "'e1'"));
    ok(store_migrate(w.storage, &err) == 0, "a database of migration %d is taken: %s", (int)from,
       err.message);
    is_int(world_int(&w, "SELECT COUNT(*) FROM agent_executions"), 2, "executions are there");
    is_int(world_int(&w, "SELECT is_chain FROM agents WHERE id = 'agent'"), 0,
           "an agent is no chain");
    is_int(world_int(&w, "SELECT COUNT(*) FROM chain_executions"), 0, "and its executions of none");
    is_int(world_int(&w, "SELECT COUNT(*) FROM pragma_foreign_key_check"), 0,
           "all that is referred to is there");
    world_free(&w);
}

static void test_an_execution_of_a_chain_is_one_row(void)
{
    struct world w = world_new(true, "");
    world_people(&w);
    world_sql(&w, "INSERT INTO agent_chains (id, name, user_id, organization_id, chain_config,"
                  " created_at, updated_at) VALUES ('agent', 'c', 'ann', 'org', '{}', 1, 1)");
    world_sql(&w, EXECUTION("e1", "agent", "NULL"));
    world_sql(&w, "INSERT INTO execution_events (execution_id, seq, type, data, timestamp) VALUES"
                  " ('e1', 2, 'emit', '{\"n\":2}', 1),"
                  " ('e1', 1, 'emit', '{\"n\":1}', 1),"
                  " ('e1', 3, 'end', '{}', 1)");
    is_int(world_int(&w, "SELECT execution_steps = '[{\"n\":1},{\"n\":2}]' FROM chain_executions"
                         " WHERE id = 'e1' AND chain_id = 'agent' AND status = 'completed'"),
           1, "with what it told of its steps, in that order");
    world_free(&w);
}

int main(void)
{
    for (int64_t n = 1; n <= LAST_OLD; n++)
        upgraded(n);
    test_an_execution_of_a_chain_is_one_row();
    return done_testing();
}
