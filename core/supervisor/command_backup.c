/* c9d backup: a copy of the database, also while a daemon works with it. */
#include <stdio.h>
#include <sys/stat.h>

#include "supervisor/daemon.h"

int command_backup(int argc, char **argv)
{
    struct command_options o;
    error_auto err = ERROR_INIT;
    struct daemon d = {0};
    struct stat st;
    if (command_parse(argc, argv, "[-c FILE] COPY", true, &o) < 0)
        return 2;
    int failed =
        daemon_configure(&d, o.config, &err) < 0 || daemon_backup_storage(&d, o.operand, &err) < 0;
    if (failed)
        command_fail(&err);
    else if (stat(o.operand, &st) == 0)
        printf("%s: %lld bytes\n", o.operand, (long long)st.st_size);
    daemon_close(&d);
    return failed ? 1 : 0;
}
