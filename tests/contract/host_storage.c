/* The contract of storage plugins, run against every backend. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/storage.h"
#include "tap.h"

static const struct backend {
    const char *title, *plugin, *config;
    bool file; /* a file in the state folder, c9d.db: locks, copies and limits can be tried on it */
} backends[] = {
    {"sqlite", "storage_sqlite", "", true},
    {"sqlite, a batch is more than its cache", "storage_sqlite", "cache_size = 64KiB\n", true},
    {"sqlite normal", "storage_sqlite",
     "synchronous = normal\ncache_size = 64KiB\nbusy_timeout = 200ms\n", true},
    {"sqlite memory", "storage_sqlite", "path = :memory:\n", false},
};

static const struct backend *backend; /* under test */
static char *folder;                  /* its state */
static struct host *host;

static const char *build_folder(void)
{
    const char *build = getenv("C9_BUILD");
    return build != NULL ? build : "build";
}

static struct config *backend_config(struct error *err)
{
    autofree char *path = xasprintf("%s/test.conf", folder);
    FILE *file = fopen(path, "w");
    if (file == NULL || fprintf(file, "[storage]\n%s", backend->config) < 0 || fclose(file) != 0)
        abort();
    return config_load(path, err);
}

/* Opens the backend's store; NULL with err. */
static struct storage *storage_try(struct error *err)
{
    struct config *config = backend_config(err);
    struct storage *storage =
        config != NULL ? storage_open(host, config, backend->plugin, err) : NULL;
    config_free(config);
    return storage;
}

static struct storage *storage_get(void)
{
    error_auto err = ERROR_INIT;
    struct storage *storage = storage_try(&err);
    if (storage == NULL)
        printf("Bail out! %s\n", err.message), exit(1);
    return storage;
}

static const struct c9d_migration history[] = {
    {1, "CREATE TABLE parent (id @ID@ PRIMARY KEY, name @TEXT@ NOT NULL) @STRICT@;\n"
        "CREATE TABLE thing (id @ID@ PRIMARY KEY, n @INT@ NOT NULL DEFAULT 0 CHECK (n < 1000000),"
        " r @REAL@, t @TEXT@ UNIQUE, b @BLOB@, at @TIME@, j @JSON@, flag @BOOL@,"
        " parent_id @ID@ REFERENCES parent (id),"
        " late_id @ID@ REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED) @STRICT@;"},
    {2, "ALTER TABLE parent ADD COLUMN mail @TEXT@ DEFAULT 'x@example.org';"},
    {3, "CREATE INDEX parent_name ON parent (name);"},
};

static struct storage *storage_fresh(void)
{
    struct storage *storage = storage_get();
    error_auto err = ERROR_INIT;
    if (storage_migrate(storage, history, countof(history), &err) < 0)
        printf("Bail out! %s\n", err.message), exit(1);
    return storage;
}

/* ---- small helpers ---- */

static int row_int(void *arg, const struct c9d_value *columns, size_t n)
{
    *(int64_t *)arg = n > 0 && columns[0].type == C9D_INT ? columns[0].u.i : -1;
    return 0;
}

static int64_t query_int(struct storage *storage, const char *sql)
{
    int64_t value = -2;
    error_auto err = ERROR_INIT;
    if (storage_query(storage, sql, row_int, &value, &err, "") < 0)
        note("%s", err.message);
    return value;
}

static int64_t things(struct storage *storage)
{
    return query_int(storage, "SELECT count(*) FROM thing");
}

static void add_thing(struct storage_batch *batch, const char *id, int64_t n)
{
    storage_batch_add(batch, "INSERT INTO thing (id, n) VALUES ($1, $2)", 1, NULL, NULL, "si", id,
                      n);
}

static int commit_sql(struct storage *storage, const char *sql, int64_t expect, struct error *err)
{
    struct storage_batch *batch = storage_batch_new();
    storage_batch_add(batch, sql, expect, NULL, NULL, "");
    return storage_commit(storage, batch, err);
}

/* ---- values ---- */

struct values_check {
    int rows;
    bool right;
};

static bool same_bytes(const struct c9d_value *v, enum c9d_value_type type, const char *s,
                       size_t len)
{
    return v->type == type && v->len == len && memcmp(v->u.s, s, len) == 0;
}

static int values_row(void *arg, const struct c9d_value *v, size_t n)
{
    struct values_check *check = arg;
    check->rows++;
    check->right = n == 6 && v[0].type == C9D_INT && v[0].u.i == -42 && v[1].type == C9D_REAL &&
                   v[1].u.d == 1.5 && same_bytes(&v[2], C9D_TEXT, "gr\xc3\xbc\xc3\x9f", 6) &&
                   v[2].u.s[6] == '\0' && same_bytes(&v[3], C9D_BLOB, "a\0b", 3) &&
                   v[4].type == C9D_NULL && v[5].type == C9D_INT && v[5].u.i == 7;
    return 0;
}

static void test_values(void)
{
    struct storage *storage = storage_fresh();
    error_auto err = ERROR_INIT;
    struct storage_batch *batch = storage_batch_new();
    int64_t at = 7;
    storage_batch_add(
        batch, "INSERT INTO thing (id, n, r, t, b, j, at, flag) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)",
        1, NULL, NULL, "sidSbsII", "a", (int64_t)-42, 1.5, "gr\xc3\xbc\xc3\x9f and more", (size_t)6,
        "a\0b", (size_t)3, (const char *)NULL, &at, (const int64_t *)NULL);
    is_int(storage_commit(storage, batch, &err), 0, "a row of every type is written");
    struct values_check check = {0};
    is_int(storage_query(storage, "SELECT n, r, t, b, j, at FROM thing WHERE id = $1", values_row,
                         &check, &err, "s", "a"),
           0, "and read");
    ok(check.rows == 1 && check.right, "every value is what it was");
    int64_t count = 0;
    storage_query(storage, "SELECT $2 + $1 * 10 + $2", row_int, &count, &err, "ii", (int64_t)3,
                  (int64_t)4);
    is_int(count, 38, "$2 before $1, and one used twice");
    storage_query(storage, "SELECT $1+$2+$3+$4+$5+$6+$7+$8+$9+$10+$11", row_int, &count, &err,
                  "iiiiiiiiiii", (int64_t)1, (int64_t)2, (int64_t)3, (int64_t)4, (int64_t)5,
                  (int64_t)6, (int64_t)7, (int64_t)8, (int64_t)9, (int64_t)10, (int64_t)1000);
    is_int(count, 1055, "$11 is not $1");
    is_int(storage_query(storage, "SELECT $1", row_int, &count, &err, ""), -1,
           "a missing parameter is an error");
    is_int(storage_query(storage, "SELECT 1", row_int, &count, &err, "i", (int64_t)1), -1,
           "one too many as well");
    is_int(storage_query(storage, "SELEC 1", row_int, &count, &err, ""), -1,
           "wrong SQL is an error");
    ok(err.code == E_STORAGE_FAILED && strstr(err.message, "SELEC") != NULL, "that shows it: %s",
       err.message);
    is_int(storage_query(storage, "DELETE FROM thing", NULL, NULL, &err, ""), -1,
           "a query changes nothing");
    is_int(things(storage), 1, "indeed");
    storage_close(storage);
}

static int stop_at_two(void *arg, const struct c9d_value *columns, size_t n)
{
    (void)columns, (void)n;
    return ++*(int *)arg == 2;
}

static int nested_row(void *arg, const struct c9d_value *columns, size_t n)
{
    struct storage *storage = arg;
    (void)columns, (void)n;
    return things(storage) != 10;
}

static void test_reads(void)
{
    struct storage *storage = storage_fresh();
    error_auto err = ERROR_INIT;
    struct storage_batch *batch = storage_batch_new();
    for (int i = 0; i < 10; i++) {
        autofree char *id = xasprintf("%d", i);
        add_thing(batch, id, i);
    }
    is_int(storage_batch_count(batch), 10, "ten statements in a batch");
    is_int(storage_commit(storage, batch, &err), 0, "are written");
    int rows = 0;
    is_int(storage_query(storage, "SELECT n FROM thing ORDER BY n", stop_at_two, &rows, &err, ""),
           0, "stopping early is no error");
    is_int(rows, 2, "and stops");
    is_int(storage_query(storage, "SELECT count(*) FROM thing", nested_row, storage, &err, ""), 0,
           "a read of the same text within a read");
    /* More texts made at run time, at one address, than any cache would keep. */
    int wrong = 0;
    for (int i = 0; i < 600; i++) {
        char sql[64];
        struct c9d_value one = {.type = C9D_INT, .u.i = i};
        int64_t value = -1;
        snprintf(sql, sizeof(sql), "SELECT $1 + %d", i % 300);
        wrong += storage_query_values(storage, sql, &one, 1, row_int, &value, &err) < 0 ||
                 value != i + i % 300;
    }
    is_int(wrong, 0, "statements made at run time are told apart by their text");
    storage_close(storage);
}

/* ---- batches ---- */

struct returned {
    int n;
    int64_t sum;
};

static int returned_row(void *arg, const struct c9d_value *columns, size_t n)
{
    struct returned *returned = arg;
    (void)n;
    returned->n++;
    returned->sum += columns[0].u.i;
    return returned->n == 2; /* stop listening; the change happens all the same */
}

static int failed_at(const struct error *err)
{
    return (int)json_integer_value(json_object_get(err->details, "statement"));
}

static void test_batches(void)
{
    struct storage *storage = storage_fresh();
    error_auto err = ERROR_INIT;
    struct storage_batch *batch = storage_batch_new();
    is_int(storage_commit(storage, batch, &err), 0, "an empty batch is fine");

    batch = storage_batch_new();
    add_thing(batch, "a", 1);
    add_thing(batch, "b", 2);
    add_thing(batch, "a", 3);
    is_int(storage_commit(storage, batch, &err), -1, "a batch with a duplicate key fails");
    is_int(err.code, E_INVALID_STATE, "as a conflict");
    is_int(failed_at(&err), 2, "that names the statement");
    is_int(things(storage), 0, "and none of it happened");

    batch = storage_batch_new();
    add_thing(batch, "a", 1);
    add_thing(batch, "b", 2);
    add_thing(batch, "c", 3);
    is_int(storage_commit(storage, batch, &err), 0, "three rows");
    is_int(commit_sql(storage, "UPDATE thing SET n = n + 1 WHERE id = 'nobody'", 1, &err), -1,
           "an unmet expectation fails");
    is_int(err.code, E_INVALID_STATE, "as a conflict too");
    is_int(commit_sql(storage, "UPDATE thing SET n = n + 1", 2, &err), -1, "so does too many");
    is_int(query_int(storage, "SELECT sum(n) FROM thing"), 6, "and changes nothing");
    is_int(commit_sql(storage, "UPDATE thing SET n = n + 1", 3, &err), 0,
           "the right number passes");
    is_int(commit_sql(storage, "UPDATE thing SET n = n + 1 WHERE n < 0", 0, &err), 0, "also none");
    is_int(commit_sql(storage, "UPDATE thing SET n = n + 1 WHERE n < 0", -1, &err), 0, "or any");
    is_int(
        commit_sql(storage, "INSERT INTO thing (id) VALUES ('a') ON CONFLICT DO NOTHING", 0, &err),
        0, "what did nothing counts nothing");

    struct returned returned = {0};
    batch = storage_batch_new();
    storage_batch_add(batch, "UPDATE thing SET n = n * 10 WHERE n > $1 RETURNING n", 3,
                      returned_row, &returned, "i", (int64_t)0);
    is_int(storage_commit(storage, batch, &err), 0, "RETURNING in a batch, with an expectation");
    ok(returned.n == 2 && returned.sum > 0, "rows until the listener had enough");
    is_int(query_int(storage, "SELECT sum(n) FROM thing"), 90, "and all were changed");

    is_int(commit_sql(storage, "UPDATE thing SET parent_id = 'nobody'", -1, &err), -1,
           "a foreign key is kept");
    is_int(err.code, E_INVALID_STATE, "as a conflict");
    is_int(commit_sql(storage, "UPDATE thing SET late_id = 'nobody' WHERE id = 'a'", -1, &err), -1,
           "a deferred one fails at the commit");
    is_int(failed_at(&err), 1, "which is behind the last statement");
    is_int(commit_sql(storage, "UPDATE thing SET n = 1000000", -1, &err), -1, "so is a check");
    is_int(commit_sql(storage, "INSERT INTO thing (id, n) VALUES ('s', 'text')", -1, &err), -1,
           "and a column's type");
    is_int(commit_sql(storage, "INSERT INTO nothing VALUES (1)", -1, &err), -1, "no such table");
    is_int(err.code, E_STORAGE_FAILED, "is nobody's conflict");
    is_int(query_int(storage,
                     "SELECT count(*) FROM thing WHERE late_id IS NULL AND parent_id IS NULL"),
           3, "after all this the rows are what they were");
    storage_close(storage);
}

static void test_large_batch(void)
{
    struct storage *storage = storage_fresh();
    error_auto err = ERROR_INIT;
    struct storage_batch *batch = storage_batch_new();
    autofree char *text = xmalloc(200001);
    memset(text, 'x', 200000);
    text[200000] = '\0';
    for (int i = 0; i < 500; i++) {
        char id[16];
        snprintf(id, sizeof(id), "%d", i);
        /* Each text is unique by its first byte's place; lengths cross every block of the arena. */
        snprintf(text, 16, "%d", i);
        text[strlen(text)] = 'x';
        storage_batch_add(batch, "INSERT INTO thing (id, t) VALUES ($1, $2)", 1, NULL, NULL, "sS",
                          id, text, (size_t)(i % 50 == 0 ? 200000 : 10 + i * 7));
    }
    memset(text, 'y', 200000);
    is_int(storage_commit(storage, batch, &err), 0, "500 statements, some large");
    is_int(query_int(storage,
                     "SELECT count(*) FROM thing WHERE t NOT LIKE '%y%' AND t LIKE id || 'x%'"
                     " AND length(t) = CASE WHEN id % 50 = 0 THEN 200000 ELSE 10 + id * 7 END"),
           500, "were copied when they were added");
    storage_close(storage);
}

/* ---- groups ---- */

struct gate {
    struct storage *storage;
    sem_t entered, open, ended;
    int64_t seen; /* things there, when the first was told */
    atomic_int told, failed, order_broken;
    pthread_t thread; /* that tells */
};

/* Holds the driver's thread inside the first batch until all others wait. */
static int gate_row(void *arg, const struct c9d_value *columns, size_t n)
{
    struct gate *gate = arg;
    (void)columns, (void)n;
    sem_post(&gate->entered);
    sem_wait(&gate->open);
    return 0;
}

static void gate_first_done(void *arg, struct error *err)
{
    struct gate *gate = arg;
    gate->failed += err != NULL;
    gate->thread = pthread_self();
    sem_post(&gate->ended);
}

struct member {
    struct gate *gate;
    int number;
};

static void member_done(void *arg, struct error *err)
{
    struct member *member = arg;
    struct gate *gate = member->gate;
    if (gate->told++ == 0)
        gate->seen = things(gate->storage);
    gate->order_broken += gate->told != member->number + 1;
    bool must_fail = member->number == 10 || member->number == 20;
    gate->failed += (err != NULL) != must_fail;
    if (err != NULL)
        gate->failed += err->code != E_INVALID_STATE;
    sem_post(&gate->ended);
}

static void test_groups(void)
{
    enum { MEMBERS = 40 };
    struct gate gate = {.storage = storage_fresh()};
    struct member members[MEMBERS];
    sem_init(&gate.entered, 0, 0);
    sem_init(&gate.open, 0, 0);
    sem_init(&gate.ended, 0, 0);
    struct storage_batch *batch = storage_batch_new();
    storage_batch_add(batch, "SELECT 1", -1, gate_row, &gate, "");
    storage_submit(gate.storage, batch, gate_first_done, &gate);
    sem_wait(&gate.entered);
    for (int i = 0; i < MEMBERS; i++) {
        members[i] = (struct member){&gate, i};
        char id[16];
        snprintf(id, sizeof(id), "m%d", i);
        batch = storage_batch_new();
        add_thing(batch, id, i);
        if (i == 10) /* a key that is taken */
            add_thing(batch, "m3", i);
        if (i == 20) /* fails at the commit, and with it the whole group's */
            storage_batch_add(batch, "UPDATE thing SET late_id = 'nobody' WHERE id = $1", 1, NULL,
                              NULL, "s", id);
        storage_submit(gate.storage, batch, member_done, &members[i]);
    }
    sem_post(&gate.open);
    for (int i = 0; i <= MEMBERS; i++)
        sem_wait(&gate.ended);
    is_int(gate.failed, 0, "in a group each batch has its own outcome");
    is_int(gate.order_broken, 0, "told in the order submitted");
    is_int(gate.seen, MEMBERS - 2,
           "and only when the whole group is there: they were committed together");
    is_int(things(gate.storage), MEMBERS - 2, "a failing batch never hurts its neighbours");
    storage_close(gate.storage);
}

/* Those that say that another one follows, and then the last, on a driver that has nothing to do.
 */
static void test_more(void)
{
    enum { MEMBERS = 8 };
    struct gate gate = {.storage = storage_fresh()};
    struct member members[MEMBERS];
    struct timespec until;
    int told = 0;
    sem_init(&gate.ended, 0, 0);
    for (int i = 0; i < MEMBERS; i++) {
        members[i] = (struct member){&gate, i};
        char id[16];
        snprintf(id, sizeof(id), "m%d", i);
        struct storage_batch *batch = storage_batch_new();
        add_thing(batch, id, i);
        storage_batch_more(batch, i < MEMBERS - 1);
        storage_submit(gate.storage, batch, member_done, &members[i]);
    }
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    while (told < MEMBERS && sem_timedwait(&gate.ended, &until) == 0)
        told++;
    is_int(told, MEMBERS, "batches that say that more follow are told with the last");
    is_int(gate.failed + gate.order_broken, 0, "each with its outcome, in order");
    storage_close(gate.storage);
}

struct relay {
    struct storage *storage;
    atomic_int left, failed;
};

/* Submits the next one from within done, until there were enough. */
static void relay_done(void *arg, struct error *err)
{
    struct relay *relay = arg;
    relay->failed += err != NULL;
    int left = relay->left--;
    if (left <= 0)
        return;
    char id[16];
    snprintf(id, sizeof(id), "r%d", left);
    struct storage_batch *batch = storage_batch_new();
    add_thing(batch, id, left);
    storage_submit(relay->storage, batch, relay_done, relay);
}

static void test_close_finishes(void)
{
    struct relay relay = {.storage = storage_fresh(), .left = 100};
    relay_done(&relay, NULL);
    storage_close(relay.storage);
    is_int(relay.left, -1, "close finishes what was submitted, also from within done");
    is_int(relay.failed, 0, "without a failure");
    if (!backend->file)
        return;
    struct storage *storage = storage_fresh();
    is_int(things(storage), 100, "and all is there after the next open");
    storage_close(storage);
}

static void *client_main(void *arg)
{
    struct storage *storage = arg;
    intptr_t failed = 0;
    for (int i = 0; i < 60; i++) {
        char id[64];
        snprintf(id, sizeof(id), "%lx-%d", (unsigned long)pthread_self(), i);
        error_auto err = ERROR_INIT;
        struct storage_batch *batch = storage_batch_new();
        add_thing(batch, id, i);
        failed += storage_commit(storage, batch, &err) < 0;
        int64_t n = -1;
        storage_query(storage, "SELECT n FROM thing WHERE id = $1", row_int, &n, &err, "s", id);
        failed += n != i;
    }
    return (void *)failed;
}

static void test_threads(void)
{
    struct storage *storage = storage_fresh();
    pthread_t threads[8];
    intptr_t failed = 0;
    for (size_t i = 0; i < countof(threads); i++)
        pthread_create(&threads[i], NULL, client_main, storage);
    for (size_t i = 0; i < countof(threads); i++) {
        void *result;
        pthread_join(threads[i], &result);
        failed += (intptr_t)result;
    }
    is_int(failed, 0, "eight threads write, and each reads what it wrote");
    is_int(things(storage), 8 * 60, "nothing is missing");
    storage_close(storage);
}

/* ---- versions, copies ---- */

static int files_like(const char *ending)
{
    autofree char *command = xasprintf("exit $(ls %s | grep -c '%s')", folder, ending);
    return WEXITSTATUS(system(command));
}

static void test_migrations(void)
{
    error_auto err = ERROR_INIT;
    struct storage *storage = storage_get();
    is_int(storage_migrate(storage, history, 1, &err), 0, "a fresh store gets the schema");
    is_int(commit_sql(storage, "INSERT INTO parent (id, name) VALUES ('p', 'n')", 1, &err), 0,
           "and a row");
    is_int(storage_migrate(storage, history, 1, &err), 0, "again: nothing to do");
    is_int(storage_migrate(storage, history, 2, &err), 0, "a later version is added");
    is_int(query_int(storage, "SELECT count(*) FROM parent WHERE mail = 'x@example.org'"), 1,
           "what is no token stays, and so does the row");
    is_int(files_like("c9d.db.v1-.*Z.bak$"), backend->file, "a file is copied before");
    is_int(storage_migrate(storage, history, 1, &err), -1, "a newer store is refused");
    ok(strstr(err.message, "version 2") != NULL && strstr(err.message, "up to 1") != NULL,
       "with both versions: %s", err.message);
    struct c9d_migration broken[] = {
        history[0],
        history[1],
        {3, "CREATE TABLE half (id @ID@); INSERT INTO nowhere VALUES (1);"}};
    is_int(storage_migrate(storage, broken, 3, &err), -1, "a step that fails");
    ok(strstr(err.message, "version 3") != NULL, "is named: %s", err.message);
    is_int(storage_query(storage, "SELECT * FROM half", NULL, NULL, &err, ""), -1,
           "and leaves nothing");
    struct c9d_migration orphan[] = {
        history[0], history[1], {3, "INSERT INTO thing (id, parent_id) VALUES ('o', 'nobody');"}};
    is_int(storage_migrate(storage, orphan, 3, &err), -1, "a step that breaks a key fails");
    is_int(things(storage), 0, "and leaves nothing");
    is_int(files_like("Z.bak$"), backend->file, "an upgrade that changed nothing leaves no copy");
    is_int(storage_migrate(storage, history, 3, &err), 0, "the right step is taken then");
    is_int(commit_sql(storage, "INSERT INTO thing (id, parent_id) VALUES ('o', 'x')", 1, &err), -1,
           "foreign keys are kept after it");
    ok(storage_exclusive(storage), "the store is ours alone");
    storage_close(storage);
}

static int backup_to(const char *path, struct error *err)
{
    struct config *config = backend_config(err);
    int status = config != NULL ? storage_backup(host, config, backend->plugin, path, err) : -1;
    config_free(config);
    return status;
}

static void test_backup(void)
{
    struct storage *storage = storage_fresh();
    error_auto err = ERROR_INIT;
    struct storage_batch *batch = storage_batch_new();
    add_thing(batch, "a", 1);
    storage_commit(storage, batch, &err);
    autofree char *copy = xasprintf("%s/copy.db", folder);
    if (!backend->file) {
        is_int(backup_to(copy, &err), -1, "what keeps nothing has no backup");
        storage_close(storage);
        return;
    }
    is_int(backup_to(copy, &err), 0, "a backup is written beside who has the store open");
    struct stat st;
    ok(stat(copy, &st) == 0 && (st.st_mode & 077) == 0, "for our eyes only");
    is_int(backup_to(copy, &err), -1, "but not over a file");
    is_int(files_like("partial"), 0, "no half copy stays");
    is_int(backup_to("/nonexistent/copy", &err), -1, "a folder that is not there");
    batch = storage_batch_new();
    add_thing(batch, "b", 1);
    storage_commit(storage, batch, &err);
    storage_close(storage);
    autofree char *move =
        xasprintf("cd %s && rm -f c9d.db c9d.db-wal c9d.db-shm && mv copy.db c9d.db", folder);
    is_int(system(move), 0, "the backup takes the store's place");
    storage = storage_fresh();
    is_int(things(storage), 1, "and has what was there when it was made");
    storage_close(storage);
}

/* ---- files ---- */

static void file_write(const char *name, const char *text)
{
    autofree char *path = xasprintf("%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        abort();
}

static void test_version(void)
{
    struct storage *storage = storage_fresh();
    error_auto err = ERROR_INIT;
    uint64_t before = storage_version(storage);
    if (before == 0) {
        skip("the backend does not know", "the version of what is stored");
        storage_close(storage);
        return;
    }
    query_int(storage, "SELECT count(*) FROM thing");
    ok(storage_version(storage) == before, "reading leaves the version");
    bool fresh = true, stays = true;
    for (int i = 0; i < 3000; i++) { /* more than the WAL takes before it starts over */
        struct storage_batch *batch = storage_batch_new();
        char id[16];
        snprintf(id, sizeof(id), "v%d", i);
        add_thing(batch, id, i);
        fresh &= storage_commit(storage, batch, &err) == 0 && storage_version(storage) > before;
        before = storage_version(storage);
        stays &= storage_version(storage) == before;
    }
    ok(fresh, "each commit gives another one, not given before");
    ok(stays, "which stays");
    storage_close(storage);
    storage = storage_fresh();
    ok(storage_version(storage) != 0, "it is known after the next open");
    storage_close(storage);
}

static void version_after(const char *sql, struct storage *storage)
{
    autofree char *command = xasprintf("cd %s && sqlite3 c9d.db \"%s\"", folder, sql);
    uint64_t before = storage_version(storage);
    if (system(command) != 0)
        skip("no sqlite3 program", "what another process stores");
    else
        ok(storage_version(storage) != before && storage_version(storage) != 0,
           "another process commits: another version");
}

static void test_version_of_others(void)
{
    struct storage *storage = storage_fresh();
    version_after("INSERT INTO thing (id, n) VALUES ('other', 1)", storage);
    is_int(query_int(storage, "SELECT n FROM thing WHERE id = 'other'"), 1, "which is seen");
    version_after("UPDATE thing SET n = 2", storage);
    storage_close(storage);
}

static void test_second_process(void)
{
    struct storage *storage = storage_fresh();
    error_auto err = ERROR_INIT;
    struct storage *second = storage_try(&err);
    ok(second == NULL, "a second one on the same folder is refused");
    autofree char *pid = xasprintf("process %d", (int)getpid());
    ok(strstr(err.message, pid) != NULL, "and told who has it: %s", err.message);
    storage_close(second);
    storage_close(storage);
    storage = storage_fresh();
    ok(storage != NULL, "after close it is free");
    storage_close(storage);
}

static void test_strange_files(void)
{
    error_auto err = ERROR_INIT;
    file_write("c9d.db", "this is no database, but a text of some length; "
                         "it should be left alone by whoever finds it here in our state folder.");
    struct storage *storage = storage_try(&err);
    ok(storage == NULL, "a file that is no database is refused: %s", err.message);
    storage_close(storage);
    is_int(files_like("^c9d.db$"), 1, "and left there");
    autofree char *other =
        xasprintf("cd %s && rm c9d.db* && sqlite3 c9d.db 'CREATE TABLE t (a)'", folder);
    if (system(other) != 0) {
        skip("no sqlite3 program", "the database of another program");
        return;
    }
    storage = storage_try(&err);
    ok(storage != NULL && storage_migrate(storage, history, 1, &err) < 0 &&
           strstr(err.message, "another program") != NULL,
       "the database of another program is refused: %s", err.message);
    storage_close(storage);
}

/* A limit on the size of files is as good as a full disk. */
static void test_full(void)
{
    struct storage *storage = storage_fresh();
    error_auto err = ERROR_INIT;
    struct rlimit before, small = {0};
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    small.rlim_cur = 600 * 1024;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    autofree char *text = xmalloc(20001);
    memset(text, 'x', 20000);
    int written = 0, failed = 0;
    for (int i = 0; i < 60; i++) {
        char id[16];
        snprintf(id, sizeof(id), "%03d", i);
        struct storage_batch *batch = storage_batch_new();
        add_thing(batch, id, i);
        storage_batch_add(batch, "UPDATE thing SET j = $2 WHERE id = $1", 1, NULL, NULL, "sS", id,
                          text, (size_t)20000);
        if (storage_commit(storage, batch, &err) == 0)
            written++;
        else
            failed++;
    }
    ok(written > 5 && failed > 5, "with no space left batches fail (%d did, %d did not)", failed,
       written);
    ok(err.code == E_STORAGE_FAILED && strstr(err.message, "space") != NULL, "and say why: %s",
       err.message);
    is_int(things(storage), written, "what was acknowledged is there, and nothing else");
    setrlimit(RLIMIT_FSIZE, &before);
    struct storage_batch *batch = storage_batch_new();
    add_thing(batch, "after", 1);
    is_int(storage_commit(storage, batch, &err), 0, "with space again it goes on");
    storage_close(storage);
    storage = storage_fresh();
    is_int(query_int(storage, "SELECT count(*) FROM thing WHERE length(j) = 20000 OR id = 'after'"),
           written + 1, "nothing was lost or half written");
    storage_close(storage);
}

/* One write to the log that finds no space, as the driver's library makes it; later ones do. */
static atomic_int no_space;

__attribute__((visibility("default"))) ssize_t pwrite64(int fd, const void *data, size_t n,
                                                        off64_t at)
{
    char link[64], target[PATH_MAX];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t len = atomic_load(&no_space) > 0 ? readlink(link, target, sizeof(target)) : -1;
    if (len > 4 && memcmp(target + len - 4, "-wal", 4) == 0 && atomic_exchange(&no_space, 0) > 0) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, data, n, at);
}

static int space_goes(void *arg, const struct c9d_value *columns, size_t n)
{
    (void)arg, (void)columns, (void)n;
    atomic_store(&no_space, 1);
    return 0;
}

struct answer {
    sem_t *ended;
    bool failed;
};

static void answer_done(void *arg, struct error *err)
{
    struct answer *answer = arg;
    answer->failed = err != NULL;
    sem_post(answer->ended);
}

/* Space is gone for a moment when a batch reads what one before it in the group has written: each
 * is there if it was told so, and nothing else is. */
static void test_full_within_group(void)
{
    enum { ROWS = 34 };
    struct gate gate = {.storage = storage_fresh()};
    sem_init(&gate.entered, 0, 0);
    sem_init(&gate.open, 0, 0);
    sem_init(&gate.ended, 0, 0);
    struct answer answers[3];
    for (int i = 0; i < 3; i++)
        answers[i] = (struct answer){&gate.ended, false};
    struct storage_batch *batch = storage_batch_new();
    add_thing(batch, "first", 1);
    storage_batch_add(batch, "SELECT 1", -1, gate_row, &gate, "");
    storage_submit(gate.storage, batch, gate_first_done, &gate);
    sem_wait(&gate.entered);
    batch = storage_batch_new(); /* fails, so that the group has savepoints */
    add_thing(batch, "first", 1);
    storage_submit(gate.storage, batch, answer_done, &answers[0]);
    autofree char *text = xmalloc(3001);
    memset(text, 'x', 3000);
    batch = storage_batch_new(); /* more than the cache holds */
    for (int i = 0; i < ROWS; i++) {
        char id[16];
        snprintf(id, sizeof(id), "a%02d", i);
        storage_batch_add(batch, "INSERT INTO thing (id, n, j) VALUES ($1, 1, $2)", 1, NULL, NULL,
                          "sS", id, text, (size_t)3000);
    }
    storage_batch_add(batch, "SELECT 1", -1, space_goes, NULL, "");
    storage_submit(gate.storage, batch, answer_done, &answers[1]);
    batch = storage_batch_new(); /* reads what that wrote */
    storage_batch_add(batch, "UPDATE thing SET n = n + 1", -1, NULL, NULL, "");
    storage_submit(gate.storage, batch, answer_done, &answers[2]);
    sem_post(&gate.open);
    for (int i = 0; i < 4; i++)
        sem_wait(&gate.ended);
    const char *sound = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'";
    is_int(query_int(gate.storage, sound), 1,
           "space that goes within a group leaves the database sound");
    is_int(query_int(gate.storage, "SELECT count(*) FROM thing WHERE length(j) = 3000"),
           answers[1].failed ? 0 : ROWS, "what was acknowledged is there");
    storage_close(gate.storage);
    gate.storage = storage_fresh();
    is_int(query_int(gate.storage, sound), 1, "when it is opened again, too");
    is_int(query_int(gate.storage, "SELECT count(*) FROM thing WHERE length(j) = 3000"),
           answers[1].failed ? 0 : ROWS, "and there then");
    storage_close(gate.storage);
}

/* Holds the lock of SQLite's writers (byte 120 of the shared-memory file, see walformat.html) as
 * another program would that writes to the database. Returns the process. */
static pid_t hold_write_lock(void)
{
    int held[2];
    if (pipe(held) < 0)
        abort();
    pid_t pid = fork();
    if (pid == 0) {
        autofree char *path = xasprintf("%s/c9d.db-shm", folder);
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 120, .l_len = 1};
        if (fcntl(open(path, O_RDWR), F_SETLK, &lock) < 0 || write(held[1], "", 1) != 1)
            _exit(1);
        pause();
    }
    char byte;
    close(held[1]);
    ok(read(held[0], &byte, 1) == 1, "another program writes to the database");
    close(held[0]);
    return pid;
}

static void test_busy(void)
{
    if (strstr(backend->config, "busy_timeout") == NULL)
        return; /* the default is long */
    struct gate gate = {.storage = storage_fresh()};
    struct member members[8];
    error_auto err = ERROR_INIT;
    sem_init(&gate.ended, 0, 0);
    pid_t pid = hold_write_lock();
    int64_t start = clock_monotonic_us();
    for (int i = 0; i < 8; i++) {
        char id[16];
        snprintf(id, sizeof(id), "m%d", i);
        struct storage_batch *batch = storage_batch_new();
        add_thing(batch, id, i);
        members[i] = (struct member){&gate, i};
        storage_submit(gate.storage, batch, member_done, &members[i]);
    }
    for (int i = 0; i < 8; i++)
        sem_wait(&gate.ended);
    /* The first may go alone, the others together: no more than two time-outs. */
    int64_t took = clock_monotonic_us() - start;
    is_int(gate.told, 8, "batches are told so in time");
    ok(took >= 200000 && took < 1200000, "after one time-out for all of a group (%d ms)",
       (int)(took / 1000));
    is_int(things(gate.storage), 0, "nothing was written, and reading goes on");
    is_int(commit_sql(gate.storage, "DELETE FROM thing", -1, &err), -1, "one alone fails too");
    ok(err.code == E_STORAGE_FAILED && strstr(err.message, "another program") != NULL,
       "and says why: %s", err.message);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    is_int(commit_sql(gate.storage, "DELETE FROM thing", 0, &err), 0, "afterwards it goes on");
    storage_close(gate.storage);
}

/* Kills a process while it writes: each row it was told of is there, no batch is half there. */
static void test_kill(void)
{
    int told[2];
    if (pipe(told) < 0)
        abort();
    pid_t pid = fork();
    if (pid == 0) {
        struct storage *storage = storage_fresh();
        for (int i = 0;; i++) {
            char one[16], two[16];
            snprintf(one, sizeof(one), "a%d", i);
            snprintf(two, sizeof(two), "b%d", i);
            error_auto err = ERROR_INIT;
            struct storage_batch *batch = storage_batch_new();
            add_thing(batch, one, i);
            add_thing(batch, two, i);
            if (storage_commit(storage, batch, &err) < 0 || write(told[1], &i, sizeof(i)) < 0)
                _exit(1);
        }
    }
    close(told[1]);
    int last = -1, i;
    while (last < 100 && read(told[0], &i, sizeof(i)) == sizeof(i))
        last = i;
    kill(pid, SIGKILL);
    while (read(told[0], &i, sizeof(i)) == sizeof(i))
        last = i;
    close(told[0]);
    waitpid(pid, NULL, 0);
    struct storage *storage = storage_fresh();
    int64_t a = query_int(storage, "SELECT count(*) FROM thing WHERE id LIKE 'a%'");
    int64_t b = query_int(storage, "SELECT count(*) FROM thing WHERE id LIKE 'b%'");
    ok(last >= 100 && a >= last + 1, "after kill -9 all %d that were acknowledged are there (%d)",
       last + 1, (int)a);
    is_int(b, a, "and no batch is there by half");
    storage_close(storage);
}

/* ---- all of it, for each ---- */

static const struct {
    void (*run)(void);
    bool file_only;
} tests[] = {
    {test_values, false},
    {test_reads, false},
    {test_batches, false},
    {test_large_batch, false},
    {test_groups, false},
    {test_more, false},
    {test_close_finishes, false},
    {test_threads, false},
    {test_migrations, false},
    {test_backup, false},
    {test_kill, true},
    {test_second_process, true},
    {test_strange_files, true},
    {test_full, true},
    {test_full_within_group, true},
    {test_busy, true},
    {test_version, false},
    {test_version_of_others, true},
};

static void run_one(void (*run)(void))
{
    autofree char *name = tap_temporary();
    autofree char *plugins = xasprintf("%s/plugins", build_folder());
    folder = mkdtemp(name);
    host = host_new(plugins, folder);
    run();
    host_free(host);
    autofree char *clean = xasprintf("rm -rf %s", folder);
    if (system(clean) != 0)
        abort();
}

int main(void)
{
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    for (size_t b = 0; b < countof(backends); b++) {
        backend = &backends[b];
        note("%s", backend->title);
        for (size_t t = 0; t < countof(tests); t++)
            if (backend->file || !tests[t].file_only)
                run_one(tests[t].run);
    }
    return done_testing();
}
