/* The storage facade: typed parameters become values, batches get an arena. */
#include "host/storage.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/sync.h"
#include "host/host-private.h"

enum { PARAMS_MAX = 64 };

struct storage {
    const struct c9d_storage_ops *ops;
    struct c9d_storage *raw;
    const char *name;
    const char *const *busy; /* tables */
    size_t n_busy;
    atomic_ullong definitions;
};

struct storage *storage_open(struct host *host, struct config *config, const char *name,
                             struct error *err)
{
    const struct c9d_plugin *plugin = host_plugin(host, name, C9D_KIND_STORAGE, err);
    if (plugin == NULL)
        return NULL;
    struct c9d_settings *settings = host_settings(host, config, "storage", NULL, plugin, err);
    if (settings == NULL)
        return NULL;
    struct c9d_fault fault = {{0}};
    struct c9d_storage *raw = NULL;
    int status = plugin->ops.storage->open(host_callbacks(host), settings, &raw, &fault);
    host_settings_free(settings);
    if (status != 0) {
        host_fault(err, E_STORAGE_FAILED, plugin->name, status, &fault);
        return NULL;
    }
    struct storage *storage = xcalloc(1, sizeof(*storage));
    storage->ops = plugin->ops.storage;
    storage->raw = raw;
    storage->name = plugin->name;
    atomic_store(&storage->definitions, 1);
    return storage;
}

void storage_close(struct storage *storage)
{
    if (storage == NULL)
        return;
    storage->ops->close(storage->raw);
    free(storage);
}

int storage_migrate(struct storage *storage, const struct c9d_migration *migrations, size_t n,
                    struct error *err)
{
    struct c9d_fault fault = {{0}};
    int status = storage->ops->migrate(storage->raw, migrations, n, &fault);
    return status == 0 ? 0 : host_fault(err, E_STORAGE_FAILED, storage->name, status, &fault);
}

bool storage_exclusive(struct storage *storage)
{
    return storage->ops->exclusive(storage->raw) != 0;
}

uint64_t storage_version(struct storage *storage)
{
    return storage->ops->version != NULL ? storage->ops->version(storage->raw) : 0;
}

void storage_set_busy(struct storage *storage, const char *const *tables, size_t n)
{
    storage->busy = tables;
    storage->n_busy = n;
}

uint64_t storage_definitions(struct storage *storage)
{
    return storage_exclusive(storage) ? atomic_load(&storage->definitions) : 0;
}

int storage_backup(struct host *host, struct config *config, const char *name, const char *path,
                   struct error *err)
{
    const struct c9d_plugin *plugin = host_plugin(host, name, C9D_KIND_STORAGE, err);
    if (plugin == NULL)
        return -1;
    if (plugin->ops.storage->backup == NULL)
        return error_set(err, E_STORAGE_FAILED,
                         "%s makes no backups; use the tools of its database", plugin->name);
    struct c9d_settings *settings = host_settings(host, config, "storage", NULL, plugin, err);
    if (settings == NULL)
        return -1;
    struct c9d_fault fault = {{0}};
    int status = plugin->ops.storage->backup(host_callbacks(host), settings, path, &fault);
    host_settings_free(settings);
    return status == 0 ? 0 : host_fault(err, E_STORAGE_FAILED, plugin->name, status, &fault);
}

const struct c9d_storage_ops *storage_ops(const struct storage *storage)
{
    return storage->ops;
}

struct c9d_storage *storage_raw(const struct storage *storage)
{
    return storage->raw;
}

/* ---- parameters ---- */

static struct c9d_value value_text(const char *s, size_t len)
{
    if (s == NULL)
        return (struct c9d_value){.type = C9D_NULL};
    return (struct c9d_value){.type = C9D_TEXT, .len = len, .u.s = s};
}

static struct c9d_value value_int(int64_t i)
{
    return (struct c9d_value){.type = C9D_INT, .u.i = i};
}

/* Reads what the format says into values, which borrow all text. A wrong letter or too many is
 * a mistake in c9d's own code. Returns how many. */
static size_t params_read(struct c9d_value *values, const char *format, va_list ap)
{
    size_t n = 0;
    for (const char *f = format; *f != '\0'; f++) {
        struct c9d_value v = {.type = C9D_NULL};
        if (n == PARAMS_MAX)
            abort();
        switch (*f) {
        case 's': {
            const char *s = va_arg(ap, const char *);
            v = value_text(s, s != NULL ? strlen(s) : 0);
            break;
        }
        case 'S': {
            const char *s = va_arg(ap, const char *);
            v = value_text(s, va_arg(ap, size_t));
            break;
        }
        case 'i':
            v = value_int(va_arg(ap, int64_t));
            break;
        case 'I': {
            const int64_t *i = va_arg(ap, const int64_t *);
            if (i != NULL)
                v = value_int(*i);
            break;
        }
        case 'd':
            v.type = C9D_REAL;
            v.u.d = va_arg(ap, double);
            break;
        case 'b':
            v.u.s = va_arg(ap, const void *);
            v.len = va_arg(ap, size_t);
            v.type = v.u.s != NULL ? C9D_BLOB : C9D_NULL;
            break;
        case 'n':
            break;
        default:
            abort();
        }
        values[n++] = v;
    }
    return n;
}

/* ---- reading ---- */

int storage_query_values(struct storage *storage, const char *sql, const struct c9d_value *params,
                         size_t n, c9d_row_fn row, void *arg, struct error *err)
{
    struct c9d_fault fault = {{0}};
    int status = storage->ops->query(storage->raw, sql, params, n, row, arg, &fault);
    return status == 0 ? 0 : host_fault(err, E_STORAGE_FAILED, storage->name, status, &fault);
}

int storage_query(struct storage *storage, const char *sql, c9d_row_fn row, void *arg,
                  struct error *err, const char *format, ...)
{
    struct c9d_value values[PARAMS_MAX];
    va_list ap;
    va_start(ap, format);
    size_t n = params_read(values, format, ap);
    va_end(ap);
    return storage_query_values(storage, sql, values, n, row, arg, err);
}

/* ---- batches ---- */

/* Memory of a batch: blocks that never move, since statements point into them. The first is part of
 * the batch, so that an ordinary batch is one malloc and one free. */
enum { BLOCK_SIZE = 4096, FIRST_BLOCK = 2048, FIRST_STATEMENTS = 6 };

struct block {
    struct block *next;
    char data[];
};

struct storage_batch {
    struct c9d_batch raw; /* first: the driver gives this back */
    struct storage *storage;
    void (*done)(void *arg, struct error *err);
    void *arg;
    struct c9d_statement *statements;
    size_t n, room;
    bool defines; /* it changes other than busy tables */
    struct block *blocks;
    char *free, *end; /* of the current block */
    struct c9d_statement first_statements[FIRST_STATEMENTS];
    _Alignas(max_align_t) char first[FIRST_BLOCK];
};

struct storage_batch *storage_batch_new(void)
{
    struct storage_batch *batch = xmalloc(sizeof(*batch));
    memset(batch, 0, offsetof(struct storage_batch, first_statements));
    batch->statements = batch->first_statements;
    batch->room = FIRST_STATEMENTS;
    batch->free = batch->first;
    batch->end = batch->first + FIRST_BLOCK;
    return batch;
}

void storage_batch_free(struct storage_batch *batch)
{
    if (batch == NULL)
        return;
    while (batch->blocks != NULL) {
        struct block *block = batch->blocks;
        batch->blocks = block->next;
        free(block);
    }
    free(batch);
}

static void *batch_block(struct storage_batch *batch, size_t size)
{
    struct block *block = xmalloc(sizeof(*block) + size);
    block->next = batch->blocks;
    batch->blocks = block;
    return block->data;
}

static void *batch_take(struct storage_batch *batch, size_t size)
{
    /* Something large gets a block of its own: the current one still has room for small things. */
    if (size > BLOCK_SIZE / 4 && size > (size_t)(batch->end - batch->free))
        return batch_block(batch, size);
    if (size > (size_t)(batch->end - batch->free)) {
        batch->free = batch_block(batch, BLOCK_SIZE);
        batch->end = batch->free + BLOCK_SIZE;
    }
    void *p = batch->free;
    batch->free += size;
    return p;
}

static void *batch_copy(struct storage_batch *batch, const void *data, size_t len)
{
    char *copy = batch_take(batch, len + 1);
    memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

/* Texts are taken byte-wise, values need their alignment. */
static struct c9d_value *batch_values(struct storage_batch *batch, size_t n)
{
    size_t align = _Alignof(struct c9d_value);
    uintptr_t at = (uintptr_t)batch_take(batch, n * sizeof(struct c9d_value) + align - 1);
    return (struct c9d_value *)((at + align - 1) & ~(uintptr_t)(align - 1));
}

static struct c9d_statement *batch_statement(struct storage_batch *batch)
{
    if (batch->n == batch->room) {
        size_t size = batch->room * sizeof(*batch->statements);
        struct c9d_statement *grown = batch_block(batch, 2 * size);
        memcpy(grown, batch->statements, size);
        batch->statements = grown;
        batch->room *= 2;
    }
    return &batch->statements[batch->n++];
}

static struct c9d_statement statement_of(struct storage_batch *batch, const char *sql,
                                         int64_t expect, const char *format, va_list ap)
{
    struct c9d_value *values = batch_values(batch, strlen(format));
    size_t n = params_read(values, format, ap);
    for (size_t i = 0; i < n; i++)
        if (values[i].type == C9D_TEXT || values[i].type == C9D_BLOB)
            values[i].u.s = batch_copy(batch, values[i].u.s, values[i].len);
    return (struct c9d_statement){.sql = sql, .params = values, .n_params = n, .expect = expect};
}

void storage_batch_replace(struct storage_batch *batch, size_t i, const char *sql, int64_t expect,
                           const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    batch->statements[i] = statement_of(batch, sql, expect, format, ap);
    va_end(ap);
}

void storage_batch_add(struct storage_batch *batch, const char *sql, int64_t expect, c9d_row_fn row,
                       void *row_arg, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    struct c9d_statement statement = statement_of(batch, sql, expect, format, ap);
    va_end(ap);
    statement.row = row;
    statement.row_arg = row_arg;
    *batch_statement(batch) = statement;
}

size_t storage_batch_count(const struct storage_batch *batch)
{
    return batch->n;
}

/* Whether it changes a busy table; what is not understood does not. */
static bool statement_busy(const struct storage *storage, const char *sql)
{
    static const char *const verbs[] = {"INSERT INTO ", "UPDATE ", "DELETE FROM "};
    size_t verb = 0;
    while (verb < countof(verbs) && strncmp(sql, verbs[verb], strlen(verbs[verb])) != 0)
        verb++;
    if (verb == countof(verbs))
        return false;
    const char *table = sql + strlen(verbs[verb]);
    size_t len = strcspn(table, " (");
    for (size_t i = 0; i < storage->n_busy; i++)
        if (strlen(storage->busy[i]) == len && memcmp(storage->busy[i], table, len) == 0)
            return true;
    return false;
}

static bool batch_defines(const struct storage *storage, const struct storage_batch *batch)
{
    for (size_t i = 0; i < batch->n; i++)
        if (!statement_busy(storage, batch->statements[i].sql))
            return true;
    return false;
}

static void batch_done(struct c9d_batch *raw, int status)
{
    struct storage_batch *batch = (struct storage_batch *)raw;
    if (batch->defines)
        atomic_fetch_add(&batch->storage->definitions, 1);
    if (status == 0) {
        batch->done(batch->arg, NULL);
    } else {
        error_auto err = ERROR_INIT;
        host_fault(&err, E_STORAGE_FAILED, batch->storage->name, status, &raw->fault);
        error_detail(&err, "statement", json_integer((json_int_t)raw->failed));
        batch->done(batch->arg, &err);
    }
    storage_batch_free(batch);
}

void storage_batch_more(struct storage_batch *batch, bool more)
{
    batch->raw.more = more;
}

void storage_submit(struct storage *storage, struct storage_batch *batch,
                    void (*done)(void *arg, struct error *err), void *arg)
{
    batch->storage = storage;
    batch->done = done;
    batch->arg = arg;
    batch->raw.statements = batch->statements;
    batch->raw.n = batch->n;
    batch->raw.done = batch_done;
    /* Now, and again when it is done: what is read between may be of before or behind. */
    batch->defines = batch_defines(storage, batch);
    if (batch->defines)
        atomic_fetch_add(&storage->definitions, 1);
    storage->ops->submit(storage->raw, &batch->raw);
}

struct waiter {
    struct latch latch;
    int result;
    struct error *err;
};

static void waiter_done(void *arg, struct error *err)
{
    struct waiter *waiter = arg;
    if (err != NULL)
        waiter->result = error_move(waiter->err, err);
    latch_open(&waiter->latch);
}

int storage_commit(struct storage *storage, struct storage_batch *batch, struct error *err)
{
    struct waiter waiter = {LATCH_INIT, 0, err};
    storage_submit(storage, batch, waiter_done, &waiter);
    latch_wait(&waiter.latch);
    return waiter.result;
}
