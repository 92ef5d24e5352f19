/* Applying layers, and telling what came of it. */
#include "sandbox/lockdown.h"

#include <errno.h>
#include <string.h>

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
        buf_printf(report, "%s{\"layer\":\"%s\",\"state\":\"%s\",\"detail\":\"%s%s%s\"}",
                   report->len > 0 ? "," : "", row->name, on ? "on" : "off", lockdown->detail,
                   lockdown->detail[0] != '\0' && !on ? ": " : "", on ? "" : strerror(failure));
    }
    errno = missing_errno;
    return missing;
}
