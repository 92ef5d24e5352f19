/* Applying layers, and telling what came of it. */
#include "sandbox/lockdown.h"

#include <errno.h>
#include <string.h>

static void row_report(const struct lockdown_layer *row, const char *state, const char *detail,
                       int failure, struct buf *report)
{
    buf_printf(
        report,
        "%s{\"layer\":\"%s\",\"state\":\"%s\",\"detail\":\"%s%s%s\",\"required\":%s,\"why\":\"%s\"}",
        report->len > 0 ? "," : "", row->name, state, detail,
        detail[0] != '\0' && failure != 0 ? ": " : "", failure != 0 ? strerror(failure) : "",
        row->required ? "true" : "false", row->reason);
}

void lockdown_describe(const struct lockdown_layer *rows, size_t n, struct buf *report)
{
    for (const struct lockdown_layer *row = rows; row < rows + n; row++)
        row_report(row, "each", "", 0, report);
}

const char *lockdown_apply(const struct lockdown_layer *rows, size_t n, struct lockdown *lockdown,
                           struct buf *report)
{
    const char *missing = NULL;
    int missing_errno = 0;
    for (const struct lockdown_layer *row = rows; row < rows + n; row++) {
        lockdown->detail[0] = '\0';
        bool on = row->apply(lockdown) == 0;
        int failure = on ? 0 : errno;
        if (!on && row->required && missing == NULL) {
            missing = row->name;
            missing_errno = failure;
        }
        row_report(row, on ? "on" : "off", lockdown->detail, failure, report);
    }
    errno = missing_errno;
    return missing;
}
