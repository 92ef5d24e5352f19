/* `c9d skill-test FILE`: runs a skill's own examples in real executors. No daemon, no store, no
 * network: every effect is answered from what the example recorded. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "schema/schema.h"
#include "service/limits.h"
#include "service/skill.h"
#include "supervisor/daemon.h"

struct skill_file {
    char *source;
    size_t len;
    json_t *manifest;
    struct launch_skill skill;
    struct launch launch;
};

static int file_load(const char *path, struct skill_file *f, struct error *err)
{
    buf_auto source = BUF_INIT;
    if (file_read(path, SKILL_SOURCE_MAX, E_INVALID_SKILL, &source, err) < 0)
        return -1;
    f->len = source.len;
    f->source = buf_steal(&source);
    return 0;
}

static struct schema *compile(const json_t *manifest, const char *key, struct error *err)
{
    const json_t *document = json_object_get(manifest, key);
    struct schema *schema = document != NULL ? schema_compile(document, NULL, err) : NULL;
    if (document != NULL && schema == NULL)
        error_wrap(err, "%s", key);
    return schema;
}

/* What publishing an agent of this one skill would make. */
static int launch_make(struct daemon *d, struct skill_file *f, struct error *err)
{
    const char *name = jx_str(f->manifest, "name", "skill");
    f->skill = (struct launch_skill){.name = name,
                                     .source = f->source,
                                     .source_len = f->len,
                                     .input = compile(f->manifest, "input", err)};
    f->launch = (struct launch){
        .agent_name = name,
        .version = jx_str(f->manifest, "version", "0.0.0"),
        .skills = &f->skill,
        .n_skills = 1,
        .limits = limits_get(d->config, NULL),
        .input_schema = f->skill.input,
        .needs = json_object_get(f->manifest, "needs"),
        .refs = 1,
    };
    if (err->code == E_NONE)
        f->launch.output_schema = compile(f->manifest, "output", err);
    if (err->code != E_NONE)
        return -1;
    jx_auto *context = json_pack("{s:{s:s, s:s, s:n, s:{}, s:b}, s:[{s:s, s:s}]}", "agent", "name",
                                 name, "version", f->launch.version, "persona", "settings",
                                 "has_output_schema", f->launch.output_schema != NULL, "skills",
                                 "name", name, "version", f->launch.version);
    f->launch.context = jx_encode(context, &f->launch.context_len);
    return 0;
}

static void file_free(struct skill_file *f)
{
    schema_unref(f->launch.input_schema);
    schema_unref(f->launch.output_schema);
    free((char *)f->launch.context);
    json_decref(f->manifest);
    free(f->source);
}

static void collect_event(void *arg, const char *type, const char *data, size_t len)
{
    error_auto err = ERROR_INIT;
    if (strcmp(type, "log") == 0)
        json_array_append_new(arg, jx_decode(data, len, "log", &err));
}

/* The example's `error` is a code, `output` a value; with neither, any completion passes. */
static char *judge(const json_t *example, const struct execution_outcome *outcome,
                   const json_t *output, const json_t *error)
{
    const json_t *wanted = json_object_get(example, "output");
    const char *wanted_error = jx_str(example, "error", NULL);
    if (wanted_error != NULL) {
        const char *got = jx_str(error, "code", NULL);
        if (got != NULL && strcmp(got, wanted_error) == 0)
            return NULL;
        return got != NULL ? xasprintf("wanted the error %s, got %s: %s", wanted_error, got,
                                       jx_str(error, "message", ""))
                           : xasprintf("wanted the error %s, but it completed", wanted_error);
    }
    if (strcmp(outcome->status, "completed") != 0) {
        const char *trace = jx_str(error, "traceback", NULL);
        return xasprintf("%s: %s%s%s", jx_str(error, "code", "?"), jx_str(error, "message", ""),
                         trace != NULL ? "\n" : "", trace != NULL ? trace : "");
    }
    if (wanted == NULL || jx_equal(wanted, output))
        return NULL;
    autofree char *want_text = jx_encode_sorted(wanted, NULL),
                  *got_text = jx_encode_sorted(output, NULL);
    return xasprintf("the output differs\n  wanted %s\n  got    %s", want_text, got_text);
}

static json_t *run_example(struct daemon *d, struct skill_file *f, const json_t *example)
{
    error_auto err = ERROR_INIT;
    struct execution_outcome outcome;
    jx_auto *logs = json_array();
    json_t *input = json_object_get(example, "input");
    autofree char *message = NULL;
    jx_auto *output = NULL, *error = NULL, *usage = NULL;
    if (f->launch.input_schema != NULL &&
        schema_validate(f->launch.input_schema, input != NULL ? input : json_null(), &err) < 0) {
        error = json_pack("{ssss}", "code", "InvalidInput", "message", err.message);
        outcome = (struct execution_outcome){.status = "failed"};
        message = judge(example, &outcome, NULL, error);
    } else {
        autofree char *text = input != NULL ? jx_encode(input, NULL) : xstrdup("null");
        if (engine_rehearse(d->engine, &f->launch, text, example, collect_event, logs, &outcome,
                            &err) < 0) {
            message = xstrdup(err.message);
        } else {
            output = outcome.output != NULL
                         ? jx_decode(outcome.output, strlen(outcome.output), "output", &err)
                         : NULL;
            error = outcome.error != NULL
                        ? jx_decode(outcome.error, strlen(outcome.error), "error", &err)
                        : NULL;
            usage = outcome.usage != NULL
                        ? jx_decode(outcome.usage, strlen(outcome.usage), "usage", &err)
                        : NULL;
            message = judge(example, &outcome, output, error);
            execution_outcome_clear(&outcome);
        }
    }
    return json_pack("{s:s, s:b, s:s?, s:O?, s:O?, s:O, s:O?}", "name",
                     jx_str(example, "name", "example"), "passed", message == NULL, "message",
                     message, "output", output, "error", error, "logs", logs, "usage", usage);
}

static void result_print(const json_t *result)
{
    const json_t *usage = json_object_get(result, "usage");
    printf("%s  %s", jx_bool(result, "passed", false) ? "ok  " : "FAIL",
           jx_str(result, "name", ""));
    if (usage != NULL)
        printf("  (%.1f ms CPU, %.0f KiB)", (double)jx_int(usage, "cpuTimeUs", 0) / 1000,
               (double)jx_int(usage, "memoryPeakBytes", 0) / 1024);
    puts("");
    if (jx_str(result, "message", NULL) != NULL)
        printf("%s\n", jx_str(result, "message", ""));
    size_t i;
    json_t *log;
    json_array_foreach (json_object_get(result, "logs"), i, log)
        if (!jx_bool(result, "passed", false))
            printf("  %s: %s\n", jx_str(log, "level", ""), jx_str(log, "message", ""));
}

static int report(struct skill_file *f, const json_t *results, size_t failed, bool json)
{
    if (json) {
        jx_auto *whole = json_pack("{s:s, s:s, s:O, s:O}", "skill", jx_str(f->manifest, "name", ""),
                                   "version", jx_str(f->manifest, "version", ""), "manifest",
                                   f->manifest, "examples", results);
        autofree char *text = jx_encode(whole, NULL);
        puts(text);
    } else if (json_array_size(results) == 0) {
        printf("%s %s is a valid skill; it has no examples: add `examples = { { name = \"…\", "
               "input = …, output = … } }`\n",
               jx_str(f->manifest, "name", ""), jx_str(f->manifest, "version", ""));
    } else {
        printf("%s %s: %zu passed, %zu failed\n", jx_str(f->manifest, "name", ""),
               jx_str(f->manifest, "version", ""), json_array_size(results) - failed, failed);
    }
    return failed > 0 ? 1 : 0;
}

static int test_file(struct daemon *d, struct skill_file *f, const char *path, bool json,
                     struct error *err)
{
    const char *slash = strrchr(path, '/'), *file = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(file, '.');
    autofree char *name = xstrndup(file, dot != NULL ? (size_t)(dot - file) : strlen(file));
    if (file_load(path, f, err) < 0 ||
        engine_ops.describe(d->engine, name, f->source, f->len, &f->manifest, err) < 0 ||
        launch_make(d, f, err) < 0)
        return -1;
    jx_auto *results = json_array();
    size_t i, failed = 0;
    json_t *example;
    json_array_foreach (json_object_get(f->manifest, "examples"), i, example) {
        json_t *result = run_example(d, f, example);
        failed += !jx_bool(result, "passed", false);
        if (!json)
            result_print(result);
        json_array_append_new(results, result);
    }
    return report(f, results, failed, json);
}

int command_skill_test(int argc, char **argv)
{
    struct command_options o;
    error_auto err = ERROR_INIT;
    struct daemon d = {0};
    struct skill_file f = {0};
    if (command_parse(argc, argv, "[-c FILE] [--json] SKILL.lua", true, &o) < 0)
        return 2;
    int status = -1;
    if (daemon_configure(&d, o.config, &err) == 0 && daemon_open_sandbox(&d, &err) == 0) {
        log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
        struct engine_parts parts = {.config = d.config, .executors = move_ptr(&d.executors)};
        d.engine = engine_new(&parts, &err);
        if (d.engine != NULL && engine_start(d.engine, &err) == 0)
            status = test_file(&d, &f, o.operand, o.json, &err);
    }
    if (status < 0)
        status = command_fail(&err);
    daemon_close(&d);
    file_free(&f); /* until then the engine's thread may have the launch */
    return status;
}
