/* Values against schemas, on a pool thread: both are others' and can take long. One at a time for
 * each execution, in order; the CPU time it takes is the execution's, and bounded by its limit. */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "schema/schema.h"
#include "supervisor/engine-private.h"

struct check {
    struct check *next;
    struct engine *engine;
    struct run *run;       /* NULL: nobody waits for it any more */
    struct effect *effect; /* that asks; NULL: it is the output, or the effect was aborted */
    struct launch *launch; /* holds the schema */
    struct schema *schema; /* NULL: anything is valid */
    json_t *value;         /* of an effect; the output's once it is decoded */
    char *text;            /* the output; NULL: an effect's */
    size_t len;
    int64_t held, cpu_us;
    bool malformed, valid;
    struct error err;
};

static void check_free(void *arg)
{
    struct check *c = arg;
    launch_unref(c->launch);
    json_decref(c->value);
    free(c->text);
    error_clear(&c->err);
    free(c);
}

static int64_t thread_cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * CLOCK_SECOND + t.tv_nsec / 1000;
}

static void check_back(void *arg);

/* On a pool thread. */
static void check_work(void *arg)
{
    struct check *c = arg;
    int64_t before = thread_cpu_us();
    if (c->text != NULL)
        c->value = jx_decode(c->text, c->len, "output", &c->err);
    c->malformed = c->value == NULL;
    c->valid =
        !c->malformed && (c->schema == NULL || schema_validate(c->schema, c->value, &c->err) == 0);
    c->cpu_us = thread_cpu_us() - before;
    loop_post_owned(c->engine->loop, check_back, check_free, c);
}

static void check_begin(struct check *c)
{
    work_submit(c->engine->pool, check_work, c);
}

/* 0, or -1: the limit of CPU time is used up by checks alone. */
static int within_cpu(const struct run *run, struct error *err)
{
    if (run->check_cpu_us < run->launch->limits.cpu_us)
        return 0;
    error_set(err, E_RESOURCE_EXHAUSTED,
              "checking its values against schemas took the execution's %ld ms of CPU time",
              (long)(run->launch->limits.cpu_us / 1000));
    error_detail(err, "limit", json_string("cpuTimeMs"));
    error_detail(err, "limitMs", json_integer(run->launch->limits.cpu_us / 1000));
    return -1;
}

static void check_add(struct run *run, struct check *c)
{
    bool first = run->checks == NULL;
    c->engine = run->engine;
    c->run = run;
    c->launch = launch_ref(run->launch);
    run->held += c->held;
    if (first)
        run->checks = c;
    else
        run->checks_last->next = c;
    run->checks_last = c;
    if (first)
        check_begin(c);
}

/* ---- an effect's value ----------------------------------------------------------------------- */

static void check_abort(struct effect *effect)
{
    struct check *c = effect->state;
    c->effect = NULL; /* its turn in the line is passed over */
}

void check_value(struct effect *effect, struct schema *schema, const json_t *value)
{
    error_auto err = ERROR_INIT;
    if (within_cpu(effect->run, &err) < 0) {
        effect_refuse(effect, &err, NULL);
        return;
    }
    struct check *c = xcalloc(1, sizeof(*c));
    c->effect = effect;
    c->schema = schema;
    c->value = json_incref((json_t *)value);
    effect->state = c;
    effect->abort = check_abort;
    check_add(effect->run, c);
}

static void value_answer(struct check *c)
{
    json_t *errors = json_object_get(c->err.details, "validationErrors");
    json_t *answer;
    if (c->valid)
        answer = json_pack("{sbs[]}", "valid", 1, "errors");
    else if (errors != NULL)
        answer = json_pack("{sbsO}", "valid", 0, "errors", errors);
    else
        answer =
            json_pack("{sbs[{ssss}]}", "valid", 0, "errors", "path", "", "message", c->err.message);
    effect_answer(c->effect, answer, NULL);
}

/* ---- the output ------------------------------------------------------------------------------ */

void check_output(struct run *run, const char *text, size_t len)
{
    error_auto err = ERROR_INIT;
    size_t weight = len + jx_weight(text, len);
    if (within_cpu(run, &err) < 0 || run_hold_check(run, weight, "the output", &err) < 0) {
        run_end_failed(run, &err, NULL);
        return;
    }
    struct check *c = xcalloc(1, sizeof(*c));
    c->text = xstrndup(text, len);
    c->len = len;
    c->schema = run->launch->output_schema;
    c->held = (int64_t)weight;
    run->checking = true;
    check_add(run, c);
}

static void output_judge(struct run *run, struct check *c)
{
    if (c->malformed) {
        run_violated(&run->user, c->err.message);
    } else if (!c->valid) {
        c->err.code = E_EXECUTION_FAILED;
        error_wrap(&c->err, "the output does not match the agent's output schema");
        run_end_failed(run, &c->err, NULL);
    } else {
        run_end_completed(run, c->text, c->len);
    }
}

/* ---- the line -------------------------------------------------------------------------------- */

static void check_back(void *arg)
{
    struct check *c = arg;
    struct run *run = c->run;
    if (run != NULL) {
        run->checks = c->next;
        run->held -= c->held;
        run->check_cpu_us += c->cpu_us;
        run->usage.cpu_us += c->cpu_us;
        while (run->checks != NULL && run->checks->text == NULL && run->checks->effect == NULL) {
            struct check *aborted = run->checks;
            run->checks = aborted->next;
            check_free(aborted);
        }
        if (run->checks != NULL)
            check_begin(run->checks);
        if (c->effect != NULL)
            value_answer(c);
        else if (c->text != NULL)
            output_judge(run, c);
    }
    check_free(c);
}

void checks_drop(struct run *run)
{
    struct check *first = run->checks;
    run->checking = false;
    if (first == NULL)
        return;
    for (struct check *c = first->next, *next; c != NULL; c = next) {
        next = c->next;
        run->held -= c->held;
        check_free(c);
    }
    run->held -= first->held;
    first->run = NULL; /* a pool thread has it: check_back frees it */
    first->effect = NULL;
    run->checks = NULL;
}
