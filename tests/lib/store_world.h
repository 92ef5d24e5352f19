/* A fresh store on the real storage plugin, in memory unless a folder is asked for. */
#ifndef C9_TESTS_STORE_WORLD_H
#define C9_TESTS_STORE_WORLD_H

#include "base/config.h"
#include "host/host.h"
#include "host/storage.h"
#include "store/store.h"
#include "tap.h"

struct world {
    struct host *host;
    struct config *config;
    struct storage *storage;
    char *folder;
};

__attribute__((noreturn, unused)) static void bail(const char *what, const struct error *err)
{
    printf("Bail out! %s: %s\n", what, err->message);
    exit(1);
}

/* Without tables. text: of the configuration, behind [storage] path. */
__attribute__((unused)) static struct world world_bare(bool in_memory, const char *text)
{
    error_auto err = ERROR_INIT;
    struct world w = {.folder = tap_temporary()};
    const char *build = getenv("C9_BUILD");
    if (mkdtemp(w.folder) == NULL)
        abort();
    autofree char *plugins = xasprintf("%s/plugins", build != NULL ? build : "build");
    autofree char *path = xasprintf("%s/c9d.conf", w.folder);
    FILE *file = fopen(path, "w");
    if (file == NULL ||
        fprintf(file, "[storage]\n%s%s", in_memory ? "path = :memory:\n" : "", text) < 0 ||
        fclose(file) != 0)
        abort();
    w.host = host_new(plugins, w.folder);
    w.config = config_load(path, &err);
    if (w.config == NULL)
        bail("configuration", &err);
    w.storage = storage_open(w.host, w.config, "storage_sqlite", &err);
    if (w.storage == NULL)
        bail("storage", &err);
    return w;
}

__attribute__((unused)) static struct world world_new(bool in_memory, const char *text)
{
    error_auto err = ERROR_INIT;
    struct world w = world_bare(in_memory, text);
    if (store_migrate(w.storage, &err) < 0)
        bail("storage", &err);
    return w;
}

__attribute__((unused)) static void world_free(struct world *w)
{
    storage_close(w->storage);
    config_free(w->config);
    host_free(w->host);
    autofree char *remove = xasprintf("rm -rf '%s'", w->folder);
    if (system(remove) != 0)
        note("%s was not removed", w->folder);
    free(w->folder);
}

static inline int world_row_int(void *arg, const struct c9d_value *columns, size_t n)
{
    *(int64_t *)arg = n > 0 && columns[0].type == C9D_INT ? columns[0].u.i : -1;
    return 1;
}

__attribute__((unused)) static int64_t world_int(struct world *w, const char *sql)
{
    error_auto err = ERROR_INIT;
    int64_t value = -2;
    if (storage_query(w->storage, sql, world_row_int, &value, &err, "") < 0)
        note("%s: %s", sql, err.message);
    return value;
}

__attribute__((unused)) static int world_commit(struct world *w, struct storage_batch *batch)
{
    error_auto err = ERROR_INIT;
    return storage_commit(w->storage, batch, &err);
}

__attribute__((unused)) static void world_sql(struct world *w, const char *sql)
{
    error_auto err = ERROR_INIT;
    struct storage_batch *batch = storage_batch_new();
    storage_batch_add(batch, sql, -1, NULL, NULL, "");
    if (storage_commit(w->storage, batch, &err) < 0)
        bail(sql, &err);
}

/* An organization "org", users "ann" (owner) and "bob" (member), an agent "agent" of ann's. */
__attribute__((unused)) static void world_people(struct world *w)
{
    world_sql(w, "INSERT INTO organizations (id, name, created_at, updated_at)"
                 " VALUES ('org', 'Org', 1, 1)");
    world_sql(w, "INSERT INTO users (id, name, created_at, updated_at)"
                 " VALUES ('ann', 'Ann', 1, 1), ('bob', 'Bob', 1, 1)");
    world_sql(w, "INSERT INTO memberships (organization_id, user_id, role, created_at)"
                 " VALUES ('org', 'ann', 'owner', 1), ('org', 'bob', 'member', 1)");
    world_sql(w, "INSERT INTO agents (id, name, user_id, organization_id, created_at, updated_at)"
                 " VALUES ('agent', 'Agent', 'ann', 'org', 1, 1)");
}

#endif
