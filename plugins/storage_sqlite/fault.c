/* SQLite's results as C9D_E_*. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "driver.h"

int fault_set(struct c9d_fault *fault, int status, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(fault->message, sizeof(fault->message), fmt, ap);
    va_end(ap);
    return status;
}

static const struct {
    int rc; /* primary code */
    int status;
    const char *advice;
} results[] = {
    {SQLITE_CONSTRAINT, C9D_E_CONFLICT, ""},
    {SQLITE_BUSY, C9D_E_BUSY, "; another program is using the database"},
    {SQLITE_LOCKED, C9D_E_BUSY, "; another statement is using the table"},
    {SQLITE_FULL, C9D_E_FULL, "; free some space on the volume of the state folder"},
    {SQLITE_READONLY, C9D_E_FAILED, "; check owner and mode of the database and its folder"},
    {SQLITE_CORRUPT, C9D_E_FAILED, "; stop c9d and restore a backup"},
    {SQLITE_NOTADB, C9D_E_FAILED, "; restore a backup, or name another file"},
};

static bool no_space(int number)
{
    return number == ENOSPC || number == EDQUOT || number == EFBIG;
}

int fault_from(struct c9d_fault *fault, sqlite3 *db, int rc, const char *doing)
{
    const char *what = db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    int number = (rc & 0xff) == SQLITE_IOERR ? errno : 0;
    /* SQLite says FULL for ENOSPC in a write only: quotas, limits and the shared-memory file are
     * I/O errors to it, and sqlite3_system_errno() knows of failures to open only. */
    if (no_space(number))
        rc = SQLITE_FULL;
    /* The reason first: statements are long, and the message has an end. */
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
        if ((rc & 0xff) == results[i].rc)
            return fault_set(fault, results[i].status, "%s%s (%.200s)", what, results[i].advice,
                             doing);
    if (number != 0)
        return fault_set(fault, C9D_E_FAILED, "%s: %s (%.200s)", what, strerrordesc_np(number),
                         doing);
    return fault_set(fault, C9D_E_FAILED, "%s (%.200s)", what, doing);
}
