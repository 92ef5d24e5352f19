/* A storage whose open always fails, with one setting it cannot do without. */
#include <stdio.h>

#include <c9d/plugin.h>

static int refuse(const struct c9d_host *host, const struct c9d_settings *settings,
                  struct c9d_storage **storage_r, struct c9d_fault *fault)
{
    (void)storage_r;
    /* What is not in its own table is as if not given. */
    int strange = host->setting_text(settings, "elsewhere") != NULL ||
                  host->setting_int(settings, "elsewhere") != 0;
    snprintf(fault->message, sizeof(fault->message), "%s: %s, size %lld, wait %lld, loud %lld%s",
             "cannot reach the database", host->setting_text(settings, "address"),
             (long long)host->setting_int(settings, "size"),
             (long long)host->setting_int(settings, "wait"),
             (long long)host->setting_int(settings, "loud"), strange ? ", strange" : "");
    return C9D_E_FAILED;
}

static void nothing_close(struct c9d_storage *storage)
{
    (void)storage;
}

static int nothing_migrate(struct c9d_storage *storage, const struct c9d_migration *migrations,
                           size_t n, struct c9d_fault *fault)
{
    (void)storage, (void)migrations, (void)n, (void)fault;
    return 0;
}

static int nothing_query(struct c9d_storage *storage, const char *sql,
                         const struct c9d_value *params, size_t n_params, c9d_row_fn row, void *arg,
                         struct c9d_fault *fault)
{
    (void)storage, (void)sql, (void)params, (void)n_params, (void)row, (void)arg, (void)fault;
    return 0;
}

static void nothing_submit(struct c9d_storage *storage, struct c9d_batch *batch)
{
    (void)storage, (void)batch;
}

static int nothing_exclusive(struct c9d_storage *storage)
{
    (void)storage;
    return 0;
}

static const struct c9d_storage_ops ops = {.open = refuse,
                                           .close = nothing_close,
                                           .migrate = nothing_migrate,
                                           .query = nothing_query,
                                           .submit = nothing_submit,
                                           .exclusive = nothing_exclusive};

static const struct c9d_setting settings[] = {
    {"address", C9D_TYPE_STRING, NULL, "Where the database is.", 1},
    {"size", C9D_TYPE_SIZE, "2KiB", "How much.", 0},
    {"wait", C9D_TYPE_DURATION, "3s", "How long.", 0},
    {"loud", C9D_TYPE_BOOL, "yes", "Whether it is said.", 0},
    {0}};

C9D_EXPORT const struct c9d_plugin c9d_plugin = {.abi = C9D_ABI,
                                                 .kind = C9D_KIND_STORAGE,
                                                 .name = "storage_refusing",
                                                 .version = "1",
                                                 .description = "Never opens.",
                                                 .settings = settings,
                                                 .ops.storage = &ops};
