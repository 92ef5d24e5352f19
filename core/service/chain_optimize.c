/* What the executions of a chain suggest to do about it: figures of each step first, then rules
 * over them, one a row of a table. */
#include <inttypes.h>
#include <string.h>

#include "service/chain-private.h"
#include "service/chain_expr.h"
#include "service/semver.h"
#include "store/chain.h"

enum {
    LOOKED_AT = 200, /* the last executions */
    ENOUGH = 5,      /* of which a rule says something about frequencies */
};

struct figures {
    const char *id;
    const json_t *step;  /* of the plan */
    const json_t *given; /* of the configuration */
    size_t index, group, group_size;
    int64_t reached, skipped, runs, completed, failed, time_ms, tokens, cost_microcents;
    bool output_used, uses_previous;
    const char *version; /* that ran all the time; "" when several did; NULL: none */
};

struct optimizing {
    const json_t *config, *plan, *told, *asked;
    struct figures *steps;
    size_t n;
    int64_t executions, time_ms, cost_microcents;
    json_t *suggestions;
    const struct figures *reader; /* whose paths are walked; NULL: the chain's output's */
};

static struct figures *figures_of(struct optimizing *o, const char *id)
{
    for (size_t i = 0; i < o->n; i++)
        if (strcmp(o->steps[i].id, id) == 0)
            return &o->steps[i];
    return NULL;
}

/* ---- figures ---- */

static void groups_set(struct optimizing *o)
{
    const json_t *groups = json_object_get(o->plan, "groups");
    for (size_t g = 0; g < json_array_size(groups); g++) {
        const json_t *ids = json_array_get(groups, g);
        for (size_t i = 0; i < json_array_size(ids); i++) {
            struct figures *f = figures_of(o, json_string_value(json_array_get(ids, i)));
            if (f != NULL) {
                f->group = g + 1;
                f->group_size = json_array_size(ids);
            }
        }
    }
}

static void steps_begin(struct optimizing *o)
{
    const json_t *steps = json_object_get(o->plan, "steps");
    const json_t *given = json_object_get(o->config, "steps");
    o->n = json_array_size(steps);
    o->steps = xcalloc(o->n, sizeof(*o->steps));
    for (size_t i = 0; i < o->n; i++)
        o->steps[i] = (struct figures){.id = jx_str(json_array_get(steps, i), "id", ""),
                                       .step = json_array_get(steps, i),
                                       .given = json_array_get(given, i),
                                       .index = i};
    groups_set(o);
}

static void told_count(struct optimizing *o)
{
    for (size_t i = 0; i < json_array_size(o->told); i++) {
        const json_t *told = json_object_get(json_array_get(o->told, i), "step");
        struct figures *f = figures_of(o, jx_str(told, "id", ""));
        const char *status = jx_str(told, "status", "");
        if (f == NULL || strcmp(status, "running") == 0)
            continue;
        bool skipped = strcmp(status, "skipped") == 0;
        f->skipped += skipped;
        f->reached += !jx_bool(told, "willRetry", false);
    }
}

static void asked_count(struct optimizing *o)
{
    for (size_t i = 0; i < json_array_size(o->asked); i++) {
        const json_t *row = json_array_get(o->asked, i), *usage = json_object_get(row, "usage");
        struct figures *f = figures_of(o, jx_str(json_object_get(row, "context"), "label", ""));
        const char *version = jx_str(row, "agentVersion", "");
        if (f == NULL)
            continue;
        bool completed = strcmp(jx_str(row, "status", ""), "completed") == 0;
        f->runs++;
        f->completed += completed;
        f->failed += !completed;
        f->time_ms += jx_int(row, "executionTimeMs", 0);
        f->tokens += jx_int(usage, "tokensConsumed", 0) + jx_int(usage, "childrenTokens", 0);
        f->cost_microcents +=
            jx_int(usage, "costMicrocents", 0) + jx_int(usage, "childrenCostMicrocents", 0);
        f->version = f->version == NULL || strcmp(f->version, version) == 0 ? version : "";
    }
    for (size_t i = 0; i < o->n; i++) {
        o->time_ms += o->steps[i].time_ms;
        o->cost_microcents += o->steps[i].cost_microcents;
    }
}

/* ---- who reads whose output ---- */

static void path_seen(void *arg, const json_t *path)
{
    struct optimizing *o = arg;
    const char *root = json_string_value(json_array_get(path, 1));
    const char *id = json_string_value(json_array_get(path, 2));
    if (root == NULL)
        return;
    if (strcmp(root, "previous") == 0 && o->reader != NULL)
        ((struct figures *)o->reader)->uses_previous = true;
    if (strcmp(root, "steps") == 0 && id == NULL) /* all of them */
        for (size_t i = 0; i < o->n; i++)
            o->steps[i].output_used = true;
    struct figures *f = strcmp(root, "steps") == 0 && id != NULL ? figures_of(o, id) : NULL;
    if (f != NULL && strcmp(json_array_size(path) > 3 && json_is_string(json_array_get(path, 3))
                                ? json_string_value(json_array_get(path, 3))
                                : "output",
                            "output") == 0)
        f->output_used = true;
}

static void mapping_walk(struct optimizing *o, const json_t *mapping)
{
    for (size_t i = 0; i < json_array_size(mapping); i++)
        chain_expr_paths(json_object_get(json_array_get(mapping, i), "value"), path_seen, o);
}

/* The last step before a group, as far as it is known without running: what $.previous is. */
static void previous_used(struct optimizing *o, size_t group)
{
    for (size_t i = 0; i < o->n; i++)
        if (o->steps[i].group == group)
            o->steps[i].output_used = true;
}

static void uses_set(struct optimizing *o)
{
    size_t last = 0;
    for (size_t i = 0; i < o->n; i++) {
        struct figures *f = &o->steps[i];
        o->reader = f;
        f->uses_previous = json_object_get(f->step, "input") == NULL;
        mapping_walk(o, json_object_get(f->step, "input"));
        mapping_walk(o, json_object_get(f->step, "output"));
        const json_t *condition = json_object_get(f->step, "condition");
        if (condition != NULL)
            chain_expr_paths(condition, path_seen, o);
        if (json_object_get(f->step, "output") != NULL)
            f->output_used = true;
        last = f->group > last ? f->group : last;
    }
    o->reader = NULL;
    if (json_object_get(o->plan, "output") != NULL)
        mapping_walk(o, json_object_get(o->plan, "output"));
    else
        previous_used(o, last);
    for (size_t i = 0; i < o->n; i++)
        if (o->steps[i].uses_previous && o->steps[i].group > 1)
            previous_used(o, o->steps[i].group - 1);
    for (size_t i = 0; i < o->n; i++) /* what stands in gives what the other would have */
        o->steps[i].output_used = o->steps[i].output_used || o->steps[i].group == 0;
}

/* ---- rules ---- */

/* evidence is consumed. */
static void suggest(struct optimizing *o, const char *kind, const struct figures *f,
                    json_t *evidence, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static void suggest(struct optimizing *o, const char *kind, const struct figures *f,
                    json_t *evidence, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *message = NULL;
    int len = vasprintf(&message, fmt, ap);
    va_end(ap);
    json_array_append_new(o->suggestions,
                          json_pack("{s:s, s:s*, s:o, s:o}", "kind", kind, "stepId",
                                    f != NULL ? f->id : NULL, "message",
                                    jx_text(len >= 0 ? message : "", len >= 0 ? (size_t)len : 0),
                                    "evidence", evidence));
    free(len >= 0 ? message : NULL);
}

static int64_t percent(int64_t part, int64_t whole)
{
    return whole > 0 ? part * 100 / whole : 0;
}

static void rule_unused(struct optimizing *o, const struct figures *f)
{
    if (!f->output_used)
        suggest(
            o, "unusedOutput", f,
            json_pack("{s:I, s:I}", "runs", (json_int_t)f->runs, "timeMs", (json_int_t)f->time_ms),
            "nothing reads the output of step '%s': map it, or leave the step out unless it is "
            "there for its effect",
            f->id);
}

static void rule_failures(struct optimizing *o, const struct figures *f)
{
    int64_t share = percent(f->failed, f->runs);
    if (f->runs < ENOUGH || share < 10)
        return;
    bool retries = jx_int(json_object_get(f->step, "retry"), "attempts", 1) > 1;
    json_t *evidence = json_pack("{s:I, s:I, s:I}", "runs", (json_int_t)f->runs, "failed",
                                 (json_int_t)f->failed, "failedPercent", (json_int_t)share);
    if (retries)
        suggest(o, "failing", f, evidence,
                "step '%s' fails in %" PRId64 " of 100 runs, though it is tried again", f->id,
                share);
    else
        suggest(o, "retry", f, evidence,
                "step '%s' fails in %" PRId64
                " of 100 runs: a retryPolicy, or a fallback, would let the chain go on",
                f->id, share);
}

static void rule_condition(struct optimizing *o, const struct figures *f)
{
    if (json_object_get(f->step, "condition") == NULL || f->reached < ENOUGH)
        return;
    if (f->skipped != 0 && f->skipped != f->reached)
        return;
    suggest(o, f->skipped == 0 ? "conditionAlwaysHeld" : "conditionNeverHeld", f,
            json_pack("{s:I, s:I}", "reached", (json_int_t)f->reached, "skipped",
                      (json_int_t)f->skipped),
            f->skipped == 0 ? "the condition of step '%s' held every time"
                            : "the condition of step '%s' never held",
            f->id);
}

static void rule_dominates(struct optimizing *o, const struct figures *f)
{
    int64_t share = percent(f->time_ms, o->time_ms);
    if (o->n < 2 || f->runs < ENOUGH)
        return;
    if (share >= 50 && f->time_ms / f->runs >= 100)
        suggest(o, "dominatesTime", f,
                json_pack("{s:I, s:I, s:I}", "timePercent", (json_int_t)share, "timeMs",
                          (json_int_t)f->time_ms, "runs", (json_int_t)f->runs),
                "step '%s' takes %" PRId64 " of 100 parts of the time: begin there", f->id, share);
    share = percent(f->cost_microcents, o->cost_microcents);
    if (share >= 50)
        suggest(o, "dominatesCost", f,
                json_pack("{s:I, s:I, s:I, s:I}", "costPercent", (json_int_t)share,
                          "costMicrocents", (json_int_t)f->cost_microcents, "tokens",
                          (json_int_t)f->tokens, "runs", (json_int_t)f->runs),
                "step '%s' makes %" PRId64 " of 100 parts of the cost: begin there", f->id, share);
}

static void rule_pin(struct optimizing *o, const struct figures *f)
{
    const char *asked = jx_str(f->given, "version", "latest");
    if (semver_valid(asked) || f->runs < ENOUGH || f->version == NULL || f->version[0] == '\0')
        return;
    suggest(o, "pinVersion", f,
            json_pack("{s:s, s:s, s:I}", "asked", asked, "ran", f->version, "runs",
                      (json_int_t)f->runs),
            "step '%s' asks for %s, and %s ran every time: ask for that, if the chain is to stay "
            "as it is",
            f->id, asked, f->version);
}

struct reads {
    const char *id;
    bool found;
    const json_t *written; /* the outputMapping of that step */
};

static void reads_path(void *arg, const json_t *path)
{
    struct reads *reads = arg;
    const char *root = json_string_value(json_array_get(path, 1)),
               *name = json_string_value(json_array_get(path, 2));
    if (root == NULL)
        return;
    if (strcmp(root, "previous") == 0 ||
        (strcmp(root, "steps") == 0 && (name == NULL || strcmp(name, reads->id) == 0)))
        reads->found = true;
    if (strcmp(root, "vars") != 0)
        return;
    for (size_t i = 0; i < json_array_size(reads->written); i++) {
        const json_t *target = json_object_get(json_array_get(reads->written, i), "target");
        const char *variable = json_string_value(json_array_get(target, 0));
        if (name == NULL || (variable != NULL && strcmp(variable, name) == 0))
            reads->found = true;
    }
}

static bool depends(const struct figures *f, const struct figures *on)
{
    struct reads reads = {on->id, json_object_get(f->step, "input") == NULL,
                          json_object_get(on->step, "output")};
    const json_t *mappings[] = {json_object_get(f->step, "input"),
                                json_object_get(f->step, "output")};
    for (size_t m = 0; m < countof(mappings); m++)
        for (size_t i = 0; i < json_array_size(mappings[m]); i++)
            chain_expr_paths(json_object_get(json_array_get(mappings[m], i), "value"), reads_path,
                             &reads);
    const json_t *condition = json_object_get(f->step, "condition");
    if (condition != NULL)
        chain_expr_paths(condition, reads_path, &reads);
    return reads.found;
}

/* Neighbours, each alone so far, of which the second needs nothing of the first. */
static void rule_parallel(struct optimizing *o, const struct figures *f)
{
    const struct figures *before = NULL;
    for (size_t i = 0; f->group > 1 && i < o->n; i++)
        if (o->steps[i].group == f->group - 1)
            before = &o->steps[i];
    if (before == NULL || f->group_size != 1 || before->group_size != 1 || depends(f, before))
        return;
    int64_t mine = f->runs > 0 ? f->time_ms / f->runs : 0,
            its = before->runs > 0 ? before->time_ms / before->runs : 0;
    suggest(o, "parallel", f,
            json_pack("{s:s, s:I, s:I, s:I}", "beside", before->id, "averageTimeMs",
                      (json_int_t)mine, "besideAverageTimeMs", (json_int_t)its, "savesMs",
                      (json_int_t)(mine < its ? mine : its)),
            "step '%s' needs nothing of step '%s': with the same `parallel` they run at once",
            f->id, before->id);
}

static void (*const rules[])(struct optimizing *o, const struct figures *f) = {
    rule_parallel, rule_unused, rule_failures, rule_condition, rule_dominates, rule_pin,
};

/* ---- all of it ---- */

static json_t *steps_json(const struct optimizing *o)
{
    json_t *steps = json_array();
    for (size_t i = 0; i < o->n; i++) {
        const struct figures *f = &o->steps[i];
        json_array_append_new(
            steps,
            json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "id", f->id, "runs",
                      (json_int_t)f->runs, "completed", (json_int_t)f->completed, "failed",
                      (json_int_t)f->failed, "skipped", (json_int_t)f->skipped, "averageTimeMs",
                      (json_int_t)(f->runs > 0 ? f->time_ms / f->runs : 0), "tokens",
                      (json_int_t)f->tokens, "costMicrocents", (json_int_t)f->cost_microcents));
    }
    return steps;
}

int chain_optimize(struct service *service, const struct principal *who, const char *id,
                   json_t **suggestions_r, struct error *err)
{
    struct agent_meta meta;
    jx_auto *version = NULL, *ended = NULL, *told = NULL, *asked = NULL;
    jx_auto *suggestions = json_array();
    const json_t *planned;
    if (chain_find(service, who, id, ACTION_READ, &meta, NULL, err) < 0 ||
        chain_version(service, meta.id, meta.current_version, &version, &planned, err) < 0 ||
        store_chain_ended(service->storage, meta.id, meta.current_version, LOOKED_AT, &ended, &told,
                          &asked, err) < 0)
        return -1;
    struct optimizing o = {
        .config = json_object_get(json_object_get(version, "config"), "chain"),
        .plan = json_object_get(json_object_get(version, "pins"), "plan"),
        .told = told,
        .asked = asked,
        .executions = (int64_t)json_array_size(ended),
        .suggestions = suggestions,
    };
    steps_begin(&o);
    told_count(&o);
    asked_count(&o);
    uses_set(&o);
    for (size_t i = 0; i < o.n; i++)
        for (size_t r = 0; r < countof(rules); r++)
            rules[r](&o, &o.steps[i]);
    *suggestions_r = json_pack("{s:s, s:s, s:I, s:o, s:O}", "chainId", meta.id, "chainVersion",
                               meta.current_version, "executions", (json_int_t)o.executions,
                               "steps", steps_json(&o), "suggestions", suggestions);
    free(o.steps);
    return 0;
}
