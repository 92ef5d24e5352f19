/* c9d audit verify: the chain of hashes, from the database alone. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "service/audit.h"
#include "supervisor/daemon.h"

static int report(const json_t *result)
{
    size_t i;
    json_t *problem;
    json_array_foreach (json_object_get(result, "problems"), i, problem)
        printf("position %lld%s%s: %s\n", (long long)jx_int(problem, "position", 0),
               json_object_get(problem, "id") != NULL ? ", row " : "", jx_str(problem, "id", ""),
               jx_str(problem, "message", ""));
    bool valid = jx_bool(result, "valid", false);
    printf("%s: %lld entries, %lld not sealed yet, head %s\n", valid ? "intact" : "NOT intact",
           (long long)jx_int(result, "entries", 0), (long long)jx_int(result, "unsealed", 0),
           jx_str(result, "head", ""));
    return valid ? 0 : 1;
}

int command_audit(int argc, char **argv)
{
    struct command_options o;
    error_auto err = ERROR_INIT;
    struct daemon d = {0};
    jx_auto *result = NULL;
    static const char usage[] = "[-c FILE] [--json] verify";
    if (command_parse(argc, argv, usage, true, &o) < 0)
        return 2;
    if (strcmp(o.operand, "verify") != 0) {
        fprintf(stderr, "usage: c9d %s %s\n", argv[0], usage);
        return 2;
    }
    int status = daemon_configure(&d, o.config, &err) < 0 || daemon_open_storage(&d, &err) < 0 ||
                         audit_verify_storage(d.storage, NULL, &result, &err) < 0
                     ? command_fail(&err)
                     : 0;
    if (status == 0 && o.json) {
        json_dumpf(result, stdout, JSON_COMPACT);
        puts("");
        status = jx_bool(result, "valid", false) ? 0 : 1;
    } else if (status == 0) {
        status = report(result);
    }
    daemon_close(&d);
    return status;
}
