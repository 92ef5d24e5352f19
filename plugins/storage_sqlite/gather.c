/* The writing connection's WAL: a commit's frames in one write.
 *
 * SQLite writes a frame as its header of 24 bytes and its page, one after the other to the end of
 * the log: two calls for each of a commit's ten and more pages. Here they are gathered and written
 * with the frame that commits, or before anything else is done to the file. Other connections look
 * at a frame only after the index of the WAL names it, which is after its commit; their own handles
 * have gathered nothing. What a crash loses here was not committed.
 *
 * A VFS over the default one: other files than a WAL are that one's own, and nothing stands
 * between. The formats are those of https://www.sqlite.org/fileformat2.html#walformat. */
#include <stdlib.h>
#include <string.h>

#include "driver.h"

enum {
    FRAME_HEADER = 24,
    FRAME_COMMITS = 4, /* offset of the big-endian size of the database; 0: does not commit */
    GATHER_MAX = (128 << 10) - 1 /* the default VFS writes no more at once (seekAndWriteFd) */
};

struct gatherer {
    sqlite3_file base; /* first: SQLite casts */
    sqlite3_file *file;
    unsigned char *bytes; /* NULL until the first write */
    size_t len;
    sqlite3_int64 at; /* where in the file */
    bool header;      /* the last that came was a frame's header … */
    bool commits;     /* … and that frame commits */
};

static sqlite3_vfs *under; /* the default one */

static struct gatherer *gatherer_of(sqlite3_file *file)
{
    return (struct gatherer *)file;
}

/* What cannot be written is kept, and goes before all else: SQLite may undo no more than the
 * statement that was told, and commit what came before. */
static int gathered_write(struct gatherer *g)
{
    int rc = SQLITE_OK;
    if (g->len > 0)
        rc = g->file->pMethods->xWrite(g->file, g->bytes, (int)g->len, g->at);
    if (rc == SQLITE_OK)
        g->len = 0;
    g->header = false;
    return rc;
}

static bool gatherable(struct gatherer *g, int n, sqlite3_int64 at)
{
    if (g->bytes == NULL)
        g->bytes = malloc(GATHER_MAX);
    bool follows = g->len > 0 && g->at + (sqlite3_int64)g->len == at;
    return g->bytes != NULL && (n == FRAME_HEADER || (follows && g->header)) &&
           (follows ? g->len : 0) + (size_t)n <= GATHER_MAX;
}

static int gather_write(sqlite3_file *file, const void *data, int n, sqlite3_int64 at)
{
    struct gatherer *g = gatherer_of(file);
    bool gather = gatherable(g, n, at), page = n != FRAME_HEADER;
    if (!gather || g->len == 0 || g->at + (sqlite3_int64)g->len != at) {
        int rc = gathered_write(g);
        if (rc != SQLITE_OK || !gather)
            return rc != SQLITE_OK ? rc : g->file->pMethods->xWrite(g->file, data, n, at);
        g->at = at;
    }
    memcpy(g->bytes + g->len, data, (size_t)n);
    g->len += (size_t)n;
    if (page && g->commits) {
        int rc = gathered_write(g);
        g->len = 0; /* a commit that fails is undone as a whole, and must not be there later */
        return rc;
    }
    g->header = !page;
    g->commits = !page && memcmp((const char *)data + FRAME_COMMITS, "\0\0\0\0", 4) != 0;
    return SQLITE_OK;
}

static int gather_read(sqlite3_file *file, void *data, int n, sqlite3_int64 at)
{
    struct gatherer *g = gatherer_of(file);
    int rc = gathered_write(g);
    return rc != SQLITE_OK ? rc : g->file->pMethods->xRead(g->file, data, n, at);
}

static int gather_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct gatherer *g = gatherer_of(file);
    int rc = gathered_write(g);
    return rc != SQLITE_OK ? rc : g->file->pMethods->xTruncate(g->file, size);
}

static int gather_sync(sqlite3_file *file, int flags)
{
    struct gatherer *g = gatherer_of(file);
    int rc = gathered_write(g);
    return rc != SQLITE_OK ? rc : g->file->pMethods->xSync(g->file, flags);
}

static int gather_size(sqlite3_file *file, sqlite3_int64 *size_r)
{
    struct gatherer *g = gatherer_of(file);
    int rc = gathered_write(g);
    return rc != SQLITE_OK ? rc : g->file->pMethods->xFileSize(g->file, size_r);
}

static int gather_close(sqlite3_file *file)
{
    struct gatherer *g = gatherer_of(file);
    int rc = gathered_write(g);
    int closed = g->file->pMethods->xClose(g->file);
    free(g->bytes);
    return rc != SQLITE_OK ? rc : closed;
}

static int gather_lock(sqlite3_file *file, int level)
{
    return gatherer_of(file)->file->pMethods->xLock(gatherer_of(file)->file, level);
}

static int gather_unlock(sqlite3_file *file, int level)
{
    return gatherer_of(file)->file->pMethods->xUnlock(gatherer_of(file)->file, level);
}

static int gather_reserved(sqlite3_file *file, int *reserved_r)
{
    struct gatherer *g = gatherer_of(file);
    return g->file->pMethods->xCheckReservedLock(g->file, reserved_r);
}

static int gather_control(sqlite3_file *file, int op, void *arg)
{
    struct gatherer *g = gatherer_of(file);
    int rc = gathered_write(g);
    return rc != SQLITE_OK ? rc : g->file->pMethods->xFileControl(g->file, op, arg);
}

static int gather_sector(sqlite3_file *file)
{
    return gatherer_of(file)->file->pMethods->xSectorSize(gatherer_of(file)->file);
}

static int gather_device(sqlite3_file *file)
{
    struct gatherer *g = gatherer_of(file);
    return g->file->pMethods->xDeviceCharacteristics(g->file);
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = gather_close,
    .xRead = gather_read,
    .xWrite = gather_write,
    .xTruncate = gather_truncate,
    .xSync = gather_sync,
    .xFileSize = gather_size,
    .xLock = gather_lock,
    .xUnlock = gather_unlock,
    .xCheckReservedLock = gather_reserved,
    .xFileControl = gather_control,
    .xSectorSize = gather_sector,
    .xDeviceCharacteristics = gather_device,
};

static int gather_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                       int *flags_r)
{
    (void)vfs;
    if ((flags & SQLITE_OPEN_WAL) == 0)
        return under->xOpen(under, name, file, flags, flags_r);
    struct gatherer *g = gatherer_of(file);
    *g = (struct gatherer){.file = (sqlite3_file *)(g + 1)};
    int rc = under->xOpen(under, name, g->file, flags, flags_r);
    if (g->file->pMethods != NULL)
        g->base.pMethods = &methods;
    return rc;
}

const char *gather_vfs;

/* The others of its functions take any VFS with their own pAppData: SQLite registers them so
 * several times itself (unix, unix-none, unix-dotfile). */
void gather_set_up(void)
{
    static sqlite3_vfs vfs;
    under = sqlite3_vfs_find(NULL);
    if (under == NULL)
        return;
    vfs = *under;
    vfs.pNext = NULL;
    vfs.zName = "c9-gather";
    vfs.szOsFile += (int)sizeof(struct gatherer);
    vfs.xOpen = gather_open;
    if (sqlite3_vfs_register(&vfs, 0) == SQLITE_OK)
        gather_vfs = vfs.zName;
}
