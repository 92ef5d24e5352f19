/* storage_sqlite, some of whose statements fail on command. The file `orders` begins with struct
 * order; a test writes them while the daemon runs. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <c9d/plugin.h>

enum { ORDERS = 8, NEEDLE = 240 };
enum order_kind { NONE, QUERY_FAILS, BATCH_FAILS, BATCH_LIES /* done, but said to have failed */ };

struct order {
    atomic_int left;   /* how often it is obeyed yet; negative: for ever */
    atomic_int hits;   /* how often it was */
    atomic_int kind;   /* enum order_kind */
    int one_in;        /* of those that match, at random */
    char part[NEEDLE]; /* of a statement's text; "": any */
};

struct c9d_storage {
    const struct c9d_storage_ops *ops;
    struct c9d_storage *raw;
    struct order *orders;
    atomic_uint random;
    void *handle;
};

static int taken(struct c9d_storage *s, struct order *o)
{
    unsigned random = atomic_fetch_add(&s->random, 1) * 2654435761u;
    if (o->one_in > 1 && (random >> 8) % (unsigned)o->one_in != 0)
        return 0;
    int left = atomic_load(&o->left);
    while (left != 0 && !atomic_compare_exchange_weak(&o->left, &left, left > 0 ? left - 1 : left))
        continue;
    if (left != 0)
        atomic_fetch_add(&o->hits, 1);
    return left != 0;
}

/* The first order of these kinds for this text. */
static enum order_kind ordered(struct c9d_storage *s, const char *sql, enum order_kind first,
                               enum order_kind last)
{
    for (int i = 0; i < ORDERS; i++) {
        enum order_kind kind = (enum order_kind)atomic_load(&s->orders[i].kind);
        if (kind >= first && kind <= last && strstr(sql, s->orders[i].part) != NULL &&
            taken(s, &s->orders[i]))
            return kind;
    }
    return NONE;
}

static int faulty_query(struct c9d_storage *s, const char *sql, const struct c9d_value *params,
                        size_t n, c9d_row_fn row, void *arg, struct c9d_fault *fault)
{
    if (ordered(s, sql, QUERY_FAILS, QUERY_FAILS) == NONE)
        return s->ops->query(s->raw, sql, params, n, row, arg, fault);
    snprintf(fault->message, sizeof(fault->message), "a query failed on command");
    return C9D_E_FAILED;
}

struct spoiled {
    struct c9d_batch batch; /* first: cast back */
    struct c9d_batch *given;
};

static void spoiled_done(struct c9d_batch *batch, int status)
{
    struct spoiled *spoiled = (struct spoiled *)batch;
    struct c9d_batch *given = spoiled->given;
    given->failed = status == 0 ? given->n : batch->failed;
    given->fault = batch->fault;
    if (status == 0)
        snprintf(given->fault.message, sizeof(given->fault.message), "a batch failed on command");
    free(spoiled);
    given->done(given, status == 0 ? C9D_E_FAILED : status);
}

static void faulty_submit(struct c9d_storage *s, struct c9d_batch *batch)
{
    enum order_kind kind = NONE;
    for (size_t i = 0; i < batch->n && kind == NONE; i++)
        kind = ordered(s, batch->statements[i].sql, BATCH_FAILS, BATCH_LIES);
    struct spoiled *spoiled = kind != NONE ? calloc(1, sizeof(*spoiled)) : NULL;
    if (spoiled == NULL) {
        s->ops->submit(s->raw, batch);
        return;
    }
    *spoiled = (struct spoiled){.batch = *batch, .given = batch};
    spoiled->batch.done = spoiled_done;
    if (kind == BATCH_FAILS)
        spoiled->batch.n = 0;
    s->ops->submit(s->raw, &spoiled->batch);
}

static int faulty_migrate(struct c9d_storage *s, const struct c9d_migration *migrations, size_t n,
                          struct c9d_fault *fault)
{
    return s->ops->migrate(s->raw, migrations, n, fault);
}

static int faulty_exclusive(struct c9d_storage *s)
{
    return s->ops->exclusive(s->raw);
}

static void faulty_close(struct c9d_storage *s)
{
    s->ops->close(s->raw);
    munmap(s->orders, ORDERS * sizeof(*s->orders));
    dlclose(s->handle);
    free(s);
}

static int faulty_open(const struct c9d_host *host, const struct c9d_settings *settings,
                       struct c9d_storage **storage_r, struct c9d_fault *fault)
{
    struct c9d_storage *s = calloc(1, sizeof(*s));
    const struct c9d_plugin *plugin = NULL;
    int fd = open(host->setting_text(settings, "orders"), O_RDWR | O_CLOEXEC);
    void *orders =
        fd >= 0 ? mmap(NULL, ORDERS * sizeof(*s->orders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                : MAP_FAILED;
    if (fd >= 0)
        close(fd);
    if (s != NULL && (s->handle = dlopen(host->setting_text(settings, "real"), RTLD_NOW)) != NULL)
        plugin = dlsym(s->handle, "c9d_plugin");
    if (orders == MAP_FAILED || plugin == NULL) {
        snprintf(fault->message, sizeof(fault->message), "no orders, or no real plugin");
        return C9D_E_FAILED;
    }
    s->orders = orders;
    s->ops = plugin->ops.storage;
    *storage_r = s;
    return s->ops->open(host, settings, &s->raw, fault);
}

static const struct c9d_storage_ops ops = {.open = faulty_open,
                                           .close = faulty_close,
                                           .migrate = faulty_migrate,
                                           .query = faulty_query,
                                           .submit = faulty_submit,
                                           .exclusive = faulty_exclusive};

static const struct c9d_setting settings[] = {
    {"orders", C9D_TYPE_STRING, NULL, "A file of struct order.", 1},
    {"real", C9D_TYPE_STRING, NULL, "The plugin storage_sqlite.", 1},
    {"path", C9D_TYPE_STRING, NULL, "These as storage_sqlite has them.", 0},
    {"synchronous", C9D_TYPE_STRING, "full", "", 0},
    {"cache_size", C9D_TYPE_SIZE, "2MiB", "", 0},
    {"busy_timeout", C9D_TYPE_DURATION, "5s", "", 0},
    {0}};

C9D_EXPORT const struct c9d_plugin c9d_plugin = {.abi = C9D_ABI,
                                                 .kind = C9D_KIND_STORAGE,
                                                 .name = "storage_faulty",
                                                 .version = "1",
                                                 .description = "Fails on command.",
                                                 .settings = settings,
                                                 .ops.storage = &ops};
