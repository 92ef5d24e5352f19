/* storage_sqlite: the store in one SQLite file on this machine. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "driver.h"

/* Idle reading connections kept open; each may hold its page cache. */
enum { READERS_KEPT = 8 };

void driver_log(const struct c9d_storage *storage, enum c9d_log_level level, const char *fmt, ...)
{
    char message[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    storage->host->log(c9d_plugin.name, level, message);
}

/* ---- settings ---- */

static const struct c9d_setting settings_table[] = {
    {"path", C9D_TYPE_STRING, NULL,
     "Database file; relative to the state folder, there c9d.db if not given; :memory: keeps "
     "nothing.",
     0},
    {"synchronous", C9D_TYPE_STRING, "full",
     "full: what was acknowledged survives a power cut; normal: it survives a crash of c9d only.",
     0},
    {"cache_size", C9D_TYPE_SIZE, "2MiB", "Page cache of each connection, at most.", 0},
    {"busy_timeout", C9D_TYPE_DURATION, "5s",
     "How long to wait for another program that writes to the database.", 0},
    {0}};

static const struct {
    const char *setting, *pragma;
} synchronous[] = {{"full", "FULL"}, {"normal", "NORMAL"}};

static char *path_make(const char *path, const char *state_folder)
{
    char *made = NULL;
    if (path == NULL || path[0] == '\0')
        path = "c9d.db";
    if (path[0] == '/' || strcmp(path, ":memory:") == 0)
        return strdup(path);
    return asprintf(&made, "%s/%s", state_folder, path) < 0 ? NULL : made;
}

static int options_read(struct options *options, const struct c9d_host *host,
                        const struct c9d_settings *settings, struct c9d_fault *fault)
{
    const char *wanted = host->setting_text(settings, "synchronous");
    for (size_t i = 0; i < sizeof(synchronous) / sizeof(synchronous[0]); i++)
        if (wanted != NULL && strcmp(wanted, synchronous[i].setting) == 0)
            options->synchronous = synchronous[i].pragma;
    if (options->synchronous == NULL)
        return fault_set(fault, C9D_E_FAILED,
                         "[storage] synchronous is '%.40s'; use full or normal",
                         wanted != NULL ? wanted : "");
    options->cache_size = host->setting_int(settings, "cache_size");
    options->busy_timeout = host->setting_int(settings, "busy_timeout");
    if (options->cache_size < 64 * 1024 || options->cache_size > INT64_C(1) << 40)
        return fault_set(fault, C9D_E_FAILED, "[storage] cache_size must be 64KiB to 1024GiB");
    if (options->busy_timeout > INT64_C(600) * 1000000)
        return fault_set(fault, C9D_E_FAILED, "[storage] busy_timeout must be at most 10m");
    options->path = path_make(host->setting_text(settings, "path"), host->state_folder);
    if (options->path == NULL)
        return fault_set(fault, C9D_E_FAILED, "out of memory");
    options->memory = strcmp(options->path, ":memory:") == 0;
    return 0;
}

/* ---- this process alone ---- */

/* The lock is on a file beside the database, which is never removed: a lock on a file that another
 * process can unlink and make anew would be no lock. It ends with the process. */
static int lock_take(struct c9d_storage *storage, struct c9d_fault *fault)
{
    char path[4096], pid[24];
    if (snprintf(path, sizeof(path), "%s.lock", storage->options.path) >= (int)sizeof(path))
        return fault_set(fault, C9D_E_FAILED, "%s: the name is too long", storage->options.path);
    storage->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (storage->lock_fd < 0)
        return fault_set(fault, C9D_E_FAILED, "%s: %s; check owner and mode of the folder", path,
                         strerrordesc_np(errno));
    if (flock(storage->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return fault_set(fault, C9D_E_FAILED, "%s: %s", path, strerrordesc_np(errno));
        ssize_t n = pread(storage->lock_fd, pid, sizeof(pid) - 1, 0);
        pid[n > 0 ? n : 0] = '\0';
        return fault_set(
            fault, C9D_E_BUSY,
            "%s is in use by another c9d (process %.*s); stop that one, or use another "
            "state folder",
            storage->options.path, (int)strspn(pid, "0123456789"), pid);
    }
    int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    /* The number is for people only: a full disk must not keep c9d from starting. */
    if (ftruncate(storage->lock_fd, 0) < 0 || pwrite(storage->lock_fd, pid, (size_t)len, 0) != len)
        driver_log(storage, C9D_LOG_WARN, "%s: %s", path, strerrordesc_np(errno));
    return 0;
}

/* SQLite makes its other files with the mode of the database: private from the start. */
static int file_make(const char *path, struct c9d_fault *fault)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return fault_set(fault, C9D_E_FAILED, "%s: %s; check owner and mode of the folder", path,
                         strerrordesc_np(errno));
    close(fd);
    return 0;
}

/* ---- open and close ---- */

static int row_text_is_wal(void *arg, const struct c9d_value *columns, size_t n)
{
    (void)n;
    *(bool *)arg = columns[0].type == C9D_TEXT && strcmp(columns[0].u.s, "wal") == 0;
    return 0;
}

/* Some file systems (most over a network) have no shared memory, and SQLite stays with its old
 * journal. */
static int wal_check(struct c9d_storage *storage, struct c9d_fault *fault)
{
    bool wal = false;
    struct run run = {.sql = "PRAGMA journal_mode", .row = row_text_is_wal, .row_arg = &wal};
    int status = connection_run(storage->writer, &run, NULL, fault);
    if (status == 0 && !wal)
        status = fault_set(fault, C9D_E_FAILED,
                           "%s: no write-ahead log on this file system; use a local disk",
                           storage->options.path);
    return status;
}

static int connect(struct c9d_storage *storage, struct c9d_fault *fault)
{
    bool memory = storage->options.memory;
    int status = memory ? 0 : lock_take(storage, fault);
    if (status == 0 && !memory)
        status = file_make(storage->options.path, fault);
    if (status != 0)
        return status;
    storage->writer = connection_open(&storage->options, true, fault);
    if (storage->writer == NULL)
        return C9D_E_FAILED;
    if (!memory && wal_check(storage, fault) != 0)
        return C9D_E_FAILED;
    if (!memory)
        wal_prepare(storage);
    version_set_up(storage);
    if (!memory && checkpointer_start(storage, fault) != 0)
        return C9D_E_FAILED;
    return writer_start(storage, fault);
}

static void driver_close(struct c9d_storage *storage)
{
    writer_stop(storage);
    checkpointer_stop(storage);
    while (storage->readers != NULL) {
        struct connection *reader = storage->readers;
        storage->readers = reader->next;
        connection_close(reader);
    }
    connection_close(storage->writer);
    if (storage->lock_fd >= 0)
        close(storage->lock_fd);
    if (storage->n_batches > 0)
        driver_log(storage, C9D_LOG_DEBUG,
                   "%" PRIu64 " batches in %" PRIu64 " commits, at most %" PRIu64 " together",
                   storage->n_batches, storage->n_commits, storage->largest_group);
    pthread_mutex_destroy(&storage->writer_lock);
    pthread_mutex_destroy(&storage->queue_lock);
    pthread_mutex_destroy(&storage->pool_lock);
    pthread_cond_destroy(&storage->queue_filled);
    free(storage->options.path);
    free(storage);
}

static int driver_open(const struct c9d_host *host, const struct c9d_settings *settings,
                       struct c9d_storage **storage_r, struct c9d_fault *fault)
{
    struct c9d_storage *storage = calloc(1, sizeof(*storage));
    if (storage == NULL)
        return fault_set(fault, C9D_E_FAILED, "out of memory");
    storage->host = host;
    storage->lock_fd = -1;
    storage->last = &storage->first;
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&storage->writer_lock, &recursive);
    pthread_mutexattr_destroy(&recursive);
    pthread_mutex_init(&storage->queue_lock, NULL);
    pthread_mutex_init(&storage->pool_lock, NULL);
    pthread_cond_init(&storage->queue_filled, NULL);
    int status = options_read(&storage->options, host, settings, fault);
    if (status == 0)
        status = connect(storage, fault);
    if (status != 0)
        driver_close(storage);
    else
        *storage_r = storage;
    return status;
}

/* ---- reading ---- */

/* A connection for this one read: used last, cached best. In WAL mode every read begins with what
 * was committed before it, on whichever connection. */
static struct connection *reader_take(struct c9d_storage *storage, struct c9d_fault *fault)
{
    pthread_mutex_lock(&storage->pool_lock);
    struct connection *reader = storage->readers;
    if (reader != NULL) {
        storage->readers = reader->next;
        storage->n_readers--;
    }
    pthread_mutex_unlock(&storage->pool_lock);
    return reader != NULL ? reader : connection_open(&storage->options, false, fault);
}

static void reader_give(struct c9d_storage *storage, struct connection *reader)
{
    pthread_mutex_lock(&storage->pool_lock);
    bool keep = storage->n_readers < READERS_KEPT;
    if (keep) {
        reader->next = storage->readers;
        storage->readers = reader;
        storage->n_readers++;
    }
    pthread_mutex_unlock(&storage->pool_lock);
    if (!keep)
        connection_close(reader);
}

static int driver_query(struct c9d_storage *storage, const char *sql,
                        const struct c9d_value *params, size_t n_params, c9d_row_fn row, void *arg,
                        struct c9d_fault *fault)
{
    struct run run = {sql, params, n_params, row, arg, true};
    if (storage->options.memory) {
        pthread_mutex_lock(&storage->writer_lock);
        int status = connection_run(storage->writer, &run, NULL, fault);
        pthread_mutex_unlock(&storage->writer_lock);
        return status;
    }
    struct connection *reader = reader_take(storage, fault);
    if (reader == NULL)
        return C9D_E_FAILED;
    int status = connection_run(reader, &run, NULL, fault);
    reader_give(storage, reader);
    return status;
}

static int driver_exclusive(struct c9d_storage *storage)
{
    (void)storage;
    return 1; /* by the lock, or because it is our memory */
}

/* Of memory there is none: another process has it. */
static int driver_backup(const struct c9d_host *host, const struct c9d_settings *settings,
                         const char *path, struct c9d_fault *fault)
{
    struct options options = {0};
    int status = options_read(&options, host, settings, fault);
    if (status == 0 && options.memory)
        status = fault_set(fault, C9D_E_FAILED, "[storage] path is :memory:, which keeps nothing");
    if (status == 0)
        status = copy_write(&options, path, fault);
    free(options.path);
    return status;
}

static const struct c9d_storage_ops ops = {.open = driver_open,
                                           .close = driver_close,
                                           .migrate = driver_migrate,
                                           .query = driver_query,
                                           .submit = writer_submit,
                                           .exclusive = driver_exclusive,
                                           .backup = driver_backup,
                                           .version = driver_version};

C9D_EXPORT const struct c9d_plugin c9d_plugin = {
    .abi = C9D_ABI,
    .kind = C9D_KIND_STORAGE,
    .name = "storage_sqlite",
    .version = C9_VERSION,
    .description = "The store in one SQLite file on this machine, committed in groups.",
    .settings = settings_table,
    .ops.storage = &ops,
};
