/* The contract of queue plugins, run against every backend. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/queue.h"
#include "host/storage.h"
#include "tap.h"

enum { LONG = 60 * 1000000, SHORT = 60 * 1000 }; /* leases and delays, µs */

static const struct backend {
    const char *title, *plugin, *storage; /* storage: its section, NULL for none */
} backends[] = {
    {"queue_store on a file", "queue_store", ""},
    {"queue_store in memory", "queue_store", "path = :memory:\n"},
    {"queue_memory", "queue_memory", NULL},
};

static const struct backend *backend;
static struct host *host;
static struct storage *storage;
static struct queue *queue;
static char *folder;

/* What a queue in the store's rows knows of the domain, with the indexes of core/store. */
static const struct c9d_migration schema[] = {
    {1, "CREATE TABLE agent_executions (id @ID@ PRIMARY KEY, agent_id @ID@ NOT NULL,"
        " status @TEXT@ NOT NULL, priority @INT@ NOT NULL, available_at @TIME@ NOT NULL,"
        " lease_owner @TEXT@, lease_until @TIME@, turn @INT@,"
        " attempt @INT@ NOT NULL DEFAULT 0) @STRICT@;"
        "CREATE INDEX agent_executions_waiting ON agent_executions"
        " (priority DESC, turn, available_at, id)"
        " WHERE status IN ('pending', 'running') AND lease_owner IS NULL AND turn IS NOT NULL;"
        "CREATE INDEX agent_executions_line ON agent_executions (agent_id, priority, turn)"
        " WHERE status IN ('pending', 'running') AND lease_owner IS NULL AND turn IS NOT NULL;"
        "CREATE INDEX agent_executions_delayed ON agent_executions (available_at)"
        " WHERE status IN ('pending', 'running') AND lease_owner IS NULL AND turn IS NULL;"
        "CREATE INDEX agent_executions_leased ON agent_executions (lease_until)"
        " WHERE status IN ('pending', 'running') AND lease_owner IS NOT NULL;"}};

static void sane(int result, const struct error *err)
{
    if (result >= 0)
        return;
    printf("Bail out! %s\n", err->message);
    exit(1);
}

static void open_all(void)
{
    autofree char *path = xasprintf("%s/test.conf", folder);
    FILE *file = fopen(path, "w");
    if (file == NULL ||
        fprintf(file, "[storage]\n%s", backend->storage ? backend->storage : "") < 0 ||
        fclose(file) != 0)
        abort();
    error_auto err = ERROR_INIT;
    struct config *config = config_load(path, &err);
    if (config != NULL && backend->storage != NULL) {
        storage = storage_open(host, config, "storage_sqlite", &err);
        sane(storage == NULL ? -1 : storage_migrate(storage, schema, 1, &err), &err);
    }
    queue = config != NULL ? queue_open(host, config, backend->plugin, storage, &err) : NULL;
    sane(queue == NULL ? -1 : 0, &err);
    config_free(config);
}

static void close_all(void)
{
    queue_close(queue);
    storage_close(storage);
    storage = NULL;
}

/* ---- the same to both kinds ---- */

static const char *id_of(int number, char id[37])
{
    snprintf(id, 37, "00000000-0000-7000-8000-%012d", number);
    return id;
}

static void push_for(const char *agent, int number, int64_t priority, int64_t available_at)
{
    struct c9d_job job = {.priority = priority, .available_at = available_at};
    error_auto err = ERROR_INIT;
    id_of(number, job.id);
    snprintf(job.agent, sizeof(job.agent), "%s", agent);
    if (queue_rows_are_jobs(queue)) {
        struct storage_batch *batch = storage_batch_new();
        storage_batch_add(batch,
                          "INSERT INTO agent_executions (id, agent_id, status, priority,"
                          " available_at) VALUES ($1, $2, 'pending', $3, $4)",
                          1, NULL, NULL, "ssii", job.id, agent, priority, available_at);
        sane(storage_commit(storage, batch, &err), &err);
    }
    sane(queue_push(queue, &job, &err), &err);
}

static void push(int number, int64_t priority, int64_t available_at)
{
    push_for("agent", number, priority, available_at);
}

static void finish(const char *owner, const char *id)
{
    error_auto err = ERROR_INIT;
    if (queue_rows_are_jobs(queue)) {
        struct storage_batch *batch = storage_batch_new();
        storage_batch_add(batch,
                          "UPDATE agent_executions SET status = 'completed', lease_owner = NULL,"
                          " lease_until = NULL WHERE id = $1 AND lease_owner = $2",
                          -1, NULL, NULL, "ss", id, owner);
        sane(storage_commit(storage, batch, &err), &err);
    }
    sane(queue_ack(queue, owner, id, &err), &err);
}

static int claim(const char *owner, int64_t lease, size_t max, struct c9d_job *jobs)
{
    error_auto err = ERROR_INIT;
    int n = queue_claim(queue, owner, lease, max, jobs, &err);
    sane(n, &err);
    return n;
}

static void release(const char *owner, const char *id, int64_t delay)
{
    error_auto err = ERROR_INIT;
    sane(queue_release(queue, owner, id, delay, &err), &err);
}

static int64_t depth(void)
{
    error_auto err = ERROR_INIT;
    int64_t n = -1;
    sane(queue_depth(queue, &n, &err), &err);
    return n;
}

/* Claims until there is something or seconds have passed: sanitizers are slow. */
static int claim_soon(const char *owner, int64_t lease, size_t max, struct c9d_job *jobs)
{
    int n = 0;
    for (int i = 0; i < 500 && (n = claim(owner, lease, max, jobs)) == 0; i++)
        usleep(10 * 1000);
    return n;
}

static bool is_number(const struct c9d_job *job, int number)
{
    char id[37];
    return strcmp(job->id, id_of(number, id)) == 0;
}

/* ---- the contract ---- */

static void test_order(void)
{
    struct c9d_job jobs[8];
    int64_t now = clock_wall_us();
    is_int(claim("a", LONG, 8, jobs), 0, "nothing in it, nothing claimed");
    is_int(depth(), 0, "and no depth");
    push(1, 0, now - 100);
    push(2, 0, now - 300);
    push(3, 5, now - 50);
    push(4, -5, now - 900);
    push(6, 0, now - 200);
    push(5, 0, now - 200);
    push(7, 9, now + LONG);
    is_int(depth(), 7, "waiting and delayed ones count");
    is_int(claim("a", LONG, 0, jobs), 0, "none wanted, none given");
    is_int(claim("a", LONG, 4, jobs), 4, "no more than asked for");
    ok(is_number(&jobs[0], 3) && is_number(&jobs[1], 2) && is_number(&jobs[2], 5) &&
           is_number(&jobs[3], 6),
       "priority first, then age, then id");
    is_int(jobs[0].priority, 5, "with its priority");
    is_int(jobs[1].available_at, now - 300, "its time");
    is_int(jobs[0].attempt, 1, "and its attempt");
    is_int(claim("a", LONG, 8, jobs), 2, "the rest");
    ok(is_number(&jobs[0], 1) && is_number(&jobs[1], 4), "in order");
    is_int(claim("a", LONG, 8, jobs), 0, "what is leased or delayed is not claimed");
    is_int(depth(), 1, "and what is leased does not wait");
}

/* Claims max, and says which came, as "1 7 2 8". */
static const char *claimed(size_t max)
{
    static char text[256];
    struct c9d_job jobs[16];
    int n = claim("a", LONG, max, jobs), len = 0;
    text[0] = '\0';
    for (int i = 0; i < n; i++)
        len += snprintf(text + len, sizeof(text) - (size_t)len, "%s%d", i > 0 ? " " : "",
                        atoi(jobs[i].id + 24));
    return text;
}

static void test_fairness(void)
{
    struct c9d_job jobs[16];
    int64_t now = clock_wall_us();
    for (int i = 1; i <= 6; i++)
        push_for("long", i, 0, now - 100 + i);
    push_for("short", 7, 0, now - 50);
    push_for("short", 8, 0, now - 49);
    is_str(claimed(4), "1 7 2 8", "agents take turns, whatever the length of their lines");
    push_for("late", 9, 0, now - 10);
    push_for("late", 10, 0, now - 9);
    is_str(claimed(3), "3 9 4", "who comes late is level with the first, not before all others");
    push_for("high", 11, 5, now);
    push_for("high", 12, 5, now);
    is_str(claimed(2), "11 12", "priority goes before fairness");
    is_str(claimed(16), "10 5 6", "and all have their turn");
    push_for("long", 13, 0, now - 900);
    push_for("other", 14, 0, now - 800);
    push_for("long", 15, 0, now - 700);
    is_int(claim("a", LONG, 1, jobs), 1, "one is claimed");
    release("a", jobs[0].id, 0);
    push_for("other", 16, 0, now - 1000);
    is_str(claimed(16), "13 14 16 15", "what was given back goes before what was not claimed");
    is_str(jobs[0].agent, "long", "a job names its agent");
}

static void test_finish(void)
{
    struct c9d_job jobs[4];
    push(1, 0, clock_wall_us());
    push(2, 0, clock_wall_us());
    is_int(claim("a", LONG, 4, jobs), 2, "two are claimed");
    finish("a", jobs[0].id);
    finish("a", jobs[0].id);
    release("a", jobs[0].id, 0);
    release("a", jobs[1].id, 0);
    is_int(depth(), 1, "one is done with, one was given back");
    is_int(claim("a", LONG, 4, jobs), 1, "that one is claimed again");
    ok(is_number(&jobs[0], 2) && jobs[0].attempt == 2, "as the second attempt");
}

static void test_release(void)
{
    struct c9d_job jobs[4];
    push(1, 0, clock_wall_us());
    is_int(claim("a", LONG, 4, jobs), 1, "claimed");
    release("b", jobs[0].id, 0);
    is_int(depth(), 0, "who has it not cannot give it back");
    release("a", jobs[0].id, LONG);
    is_int(depth(), 1, "given back with a delay it waits");
    is_int(claim("a", LONG, 4, jobs), 0, "but cannot be claimed");
    push(2, 0, clock_wall_us() + SHORT);
    is_int(claim_soon("a", LONG, 4, jobs), 1, "a delay ends");
    ok(is_number(&jobs[0], 2), "for the one whose it was");
    ok(clock_wall_us() >= jobs[0].available_at, "and not before its time");
}

static void test_leases(void)
{
    struct c9d_job jobs[4];
    error_auto err = ERROR_INIT;
    push(1, 0, clock_wall_us());
    is_int(claim("a", SHORT, 4, jobs), 1, "a short lease");
    sane(queue_renew(queue, "a", LONG, &err), &err);
    push(2, 0, clock_wall_us());
    is_int(claim("a", SHORT, 4, jobs), 1, "and one that is not renewed");
    is_int(claim_soon("a", LONG, 4, jobs), 1, "a lease ends");
    ok(is_number(&jobs[0], 2) && jobs[0].attempt == 2, "when it was not renewed");
    sane(queue_renew(queue, "b", LONG, &err), &err);
    is_int(claim("a", LONG, 4, jobs), 0, "a renewed one is kept");
}

static void test_owners(void)
{
    struct c9d_job jobs[4];
    push(1, 0, clock_wall_us());
    is_int(claim("node/1", LONG, 4, jobs), 1, "one owner claims");
    if (storage != NULL && storage_exclusive(storage)) {
        is_int(claim("node/2", LONG, 4, jobs), 1,
               "in a store that is ours alone others' leases are void");
        is_int(jobs[0].attempt, 2, "and it is the next attempt");
        is_int(claim("node/2", LONG, 4, jobs), 0, "but one's own are not");
        is_int(claim("node/1", LONG, 4, jobs), 1, "whoever claims last is the one who lives");
    } else {
        is_int(claim("node/2", LONG, 4, jobs), 0, "another does not get what is leased");
        finish("node/2", jobs[0].id);
        release("node/1", jobs[0].id, 0);
        is_int(claim("node/2", LONG, 4, jobs), 1,
               "nor can it end it, but has it when it is given back");
    }
}

enum { MANY = 300 };

struct worker {
    pthread_t thread;
    atomic_int *claimed; /* by number */
};

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct c9d_job jobs[7];
    int n;
    while ((n = claim("a", LONG, countof(jobs), jobs)) > 0)
        for (int i = 0; i < n; i++) {
            worker->claimed[atoi(jobs[i].id + 24)]++;
            finish("a", jobs[i].id);
        }
    return NULL;
}

static void test_threads(void)
{
    atomic_int claimed[MANY] = {0};
    struct worker workers[4];
    for (int i = 0; i < MANY; i++)
        push(i, i % 3, clock_wall_us() - 1);
    for (size_t i = 0; i < countof(workers); i++) {
        workers[i].claimed = claimed;
        pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]);
    }
    for (size_t i = 0; i < countof(workers); i++)
        pthread_join(workers[i].thread, NULL);
    int wrong = 0;
    for (int i = 0; i < MANY; i++)
        wrong += claimed[i] != 1;
    is_int(wrong, 0, "four threads claim each of %d jobs once", MANY);
    is_int(depth(), 0, "and none is left");
}

static bool readable(int timeout_ms)
{
    struct pollfd p = {.fd = queue_fd(queue), .events = POLLIN};
    bool yes = poll(&p, 1, timeout_ms) == 1;
    char drain[64];
    while (read(p.fd, drain, sizeof(drain)) > 0)
        continue;
    return yes && errno == EAGAIN;
}

/* A job that is not claimed before its time: as long a delay as it takes to see that. */
static void push_delayed(int number)
{
    struct c9d_job jobs[4];
    for (int64_t delay = SHORT;; delay *= 2, number++) {
        int64_t due = clock_wall_us() + delay;
        push(number, 0, due);
        int n = claim("a", LONG, 4, jobs);
        if (n == 0 || clock_wall_us() < due) {
            is_int(n, 0, "what is delayed is not claimed");
            return;
        }
        finish("a", jobs[0].id); /* this machine is busy */
    }
}

static void test_descriptor(void)
{
    struct c9d_job jobs[4];
    if (queue_fd(queue) < 0) {
        skip("it has none", "the descriptor");
        return;
    }
    ok(!readable(0), "the descriptor rests while there is nothing");
    push(1, 0, clock_wall_us());
    if (queue_rows_are_jobs(queue)) {
        skip("of rows that this process writes the host knows", "work pushed");
    } else {
        ok(readable(5000), "is readable when there is work");
        ok(!readable(0), "and was read until it would block");
    }
    is_int(claim("a", SHORT, 4, jobs), 1, "a claim takes it");
    ok(readable(5000), "it wakes when a lease ends");
    is_int(claim_soon("a", LONG, 4, jobs), 1, "which gives the job again");
    push_delayed(2);
    ok(readable(5000), "and when a delay ends");
    is_int(claim_soon("a", LONG, 4, jobs), 1, "which gives the job");
}

static void test_twice(void)
{
    if (queue_rows_are_jobs(queue)) {
        skip("rows have keys", "a job pushed twice");
        return;
    }
    struct c9d_job job = {.id = "x"};
    error_auto err = ERROR_INIT;
    is_int(queue_push(queue, &job, &err), 0, "a job is pushed");
    is_int(queue_push(queue, &job, &err), -1, "but not twice");
    is_int(err.code, E_INVALID_STATE, "which is a conflict");
}

static void (*const tests[])(void) = {test_order,   test_fairness,   test_finish,
                                      test_release, test_leases,     test_owners,
                                      test_threads, test_descriptor, test_twice};

static void run_one(void (*run)(void))
{
    const char *build = getenv("C9_BUILD");
    autofree char *name = tap_temporary();
    autofree char *plugins = xasprintf("%s/plugins", build != NULL ? build : "build");
    folder = mkdtemp(name);
    host = host_new(plugins, folder);
    open_all();
    run();
    close_all();
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
            run_one(tests[t]);
    }
    return done_testing();
}
