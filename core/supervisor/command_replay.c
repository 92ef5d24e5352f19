/* `c9d replay FILE`: runs an exported execution again in a real executor, every effect answered
 * from its journal. No daemon, no store, no network. Exit status 0: it came out the same. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "service/journal.h"
#include "supervisor/daemon.h"

enum { FILE_MAX = 512 << 20 };

static json_t *export_read(const char *path, struct error *err)
{
    buf_auto text = BUF_INIT;
    return file_read(path, FILE_MAX, E_INVALID_REQUEST, &text, err) == 0
               ? jx_decode(text.data, text.len, path, err)
               : NULL;
}

static int report(const json_t *result, bool json)
{
    bool same = jx_bool(result, "same", false);
    autofree char *text = json ? jx_encode(result, NULL) : NULL;
    if (json)
        puts(text);
    else
        printf("%s: %s after %ld steps\n", same ? "the same" : "different",
               jx_str(result, "status", ""), (long)jx_int(result, "steps", 0));
    const json_t *difference = json_object_get(result, "difference");
    if (!json && difference != NULL)
        printf("  %s\n", jx_str(difference, "message", ""));
    return same ? 0 : 1;
}

int command_replay(int argc, char **argv)
{
    struct command_options o;
    error_auto err = ERROR_INIT;
    struct daemon d = {0};
    jx_auto *result = NULL;
    if (command_parse(argc, argv, "[-c FILE] [--json] EXECUTION.json", true, &o) < 0)
        return 2;
    jx_auto *file = export_read(o.operand, &err);
    int status = -1;
    if (file != NULL && daemon_configure(&d, o.config, &err) == 0 &&
        daemon_open_sandbox(&d, &err) == 0) {
        log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
        struct engine_parts parts = {.config = d.config, .executors = move_ptr(&d.executors)};
        d.engine = engine_new(&parts, &err);
        if (d.engine != NULL && engine_start(d.engine, &err) == 0 &&
            execution_replay_file(&engine_ops, d.engine, file, &result, &err) == 0)
            status = report(result, o.json);
    }
    if (status < 0)
        status = command_fail(&err);
    daemon_close(&d);
    return status;
}
