/* Walking the nodes along an instance. A first walk only finds out whether the instance matches and
 * ends at the first failure; when it does not, a second one collects what is wrong. */
#include <string.h>

#include "base/utf8.h"
#include "schema/schema-private.h"

/* ---- what has been evaluated ----------------------------------------------------------------- */

static void seen_init(struct seen *seen, const json_t *instance)
{
    *seen = (struct seen){.n = json_typeof(instance) == JSON_OBJECT ? json_object_size(instance)
                                                                    : json_array_size(instance)};
    seen->bits = seen->few;
    if (seen->n > 64 * countof(seen->few))
        seen->bits = xcalloc((seen->n + 63) / 64, sizeof(uint64_t));
}

static void seen_free(struct seen *seen)
{
    if (seen->bits != seen->few)
        free(seen->bits);
}

static void seen_merge(struct seen *into, const struct seen *from)
{
    for (size_t i = 0; i < (into->n + 63) / 64; i++)
        into->bits[i] |= from->bits[i];
}

/* ---- telling --------------------------------------------------------------------------------- */

/* The frames from the root on: keywords and what is below them, and the way into the instance. */
static void frame_paths(const struct frame *frame, struct buf *schema_path, struct buf *path)
{
    if (frame == NULL)
        return;
    frame_paths(frame->up, schema_path, path);
    if (frame->keyword != NULL) {
        pointer_append(schema_path, STEP_KEY(frame->keyword, strlen(frame->keyword)));
        pointer_append(schema_path, frame->sub);
    }
    pointer_append(path, frame->at);
}

char *frame_pointer(const struct run *run, const struct frame *frame)
{
    buf_auto schema_path = BUF_INIT;
    struct buf path = BUF_INIT;
    buf_append_str(&path, run->path_prefix);
    frame_paths(frame, &schema_path, &path);
    return buf_steal(&path);
}

static json_t *error_entry(const struct run *run, const struct frame *frame, const char *keyword,
                           const char *fmt, va_list ap)
{
    buf_auto schema_path = BUF_INIT, path = BUF_INIT;
    char message[512];
    buf_append_str(&path, run->path_prefix);
    frame_paths(frame, &schema_path, &path);
    if (keyword != NULL)
        pointer_append(&schema_path, STEP_KEY(keyword, strlen(keyword)));
    else
        keyword = frame->keyword != NULL ? frame->keyword : "";
    int n = vsnprintf(message, sizeof(message), fmt, ap);
    size_t len = utf8_cut(message, strlen(message), sizeof(message) - 4);
    if (n < 0 || (size_t)n >= sizeof(message))
        memcpy(message + len, "…", sizeof("…"));
    json_t *entry = json_object();
    json_object_set_new(entry, "path", json_stringn(path.data ? path.data : "", path.len));
    json_object_set_new(entry, "schemaPath",
                        json_stringn(schema_path.data ? schema_path.data : "", schema_path.len));
    json_object_set_new(entry, "keyword", json_string(keyword));
    json_object_set_new(entry, "message", json_string(message));
    return entry;
}

bool run_full(const struct run *run)
{
    return json_array_size(run->errors) >= run->errors_max;
}

bool run_fail(struct run *run, const struct frame *frame, const struct op *op, const char *fmt, ...)
{
    if (!run->reporting || run->stopped || run_full(run))
        return false;
    va_list ap;
    va_start(ap, fmt);
    json_array_append_new(run->errors,
                          error_entry(run, frame, op != NULL ? op->keyword : NULL, fmt, ap));
    va_end(ap);
    return false;
}

bool run_stop(struct run *run, const struct frame *frame, const char *fmt, ...)
{
    if (run->stopped)
        return false;
    run->stopped = true;
    va_list ap;
    va_start(ap, fmt);
    run->stop_error = error_entry(run, frame, NULL, fmt, ap);
    va_end(ap);
    return false;
}

bool run_charge(struct run *run, const struct frame *frame, uint64_t n)
{
    if (run->steps >= n) {
        run->steps -= n;
        return true;
    }
    run->steps = 0;
    return run_stop(run, frame, "takes more than %llu steps to check against the schema",
                    (unsigned long long)run->document->opts.steps_max);
}

/* ---- walking --------------------------------------------------------------------------------- */

static bool ops_hold(struct run *run, const struct frame *frame)
{
    const struct node *node = frame->node;
    unsigned type = APPLIES(json_typeof(frame->instance));
    bool holds = true;
    for (size_t i = 0; i < node->op_count; i++) {
        const struct op *op = &node->ops[i];
        if ((op->applies & type) == 0 || (op->last && !holds))
            continue;
        if (op->check(run, op, frame))
            continue;
        holds = false;
        if (!run->reporting || run->stopped || run_full(run))
            break;
    }
    return holds && !run->stopped;
}

static bool node_holds(struct run *run, struct frame *frame)
{
    const struct node *node = frame->node;
    if (node->never)
        return run->instead != NULL ? run_fail(run, frame, NULL, "is not allowed; %s", run->instead)
                                    : run_fail(run, frame, NULL, "is not allowed");
    if (run->depth == 0)
        return run_stop(run, frame, "needs more than %u schemas inside each other to be checked",
                        run->document->opts.depth_max);
    if (!run_charge(run, frame, 1 + node->op_count))
        return false;
    run->depth--;
    bool holds;
    if (node->tracks) {
        struct seen *asked = frame->seen, own;
        seen_init(&own, frame->instance);
        frame->seen = &own;
        holds = run_charge(run, frame, own.n / 64) && ops_hold(run, frame);
        if (holds && asked != NULL)
            seen_merge(asked, &own);
        frame->seen = asked;
        seen_free(&own);
    } else {
        holds = ops_hold(run, frame);
    }
    run->depth++;
    return holds;
}

bool run_apply(struct run *run, const struct frame *up, const struct node *node,
               const json_t *instance, struct seen *seen, const char *keyword, struct step sub,
               struct step at)
{
    if (node == &node_true)
        return true;
    struct frame frame = {up, node, instance, seen, keyword, sub, at};
    return node_holds(run, &frame);
}

bool run_test(struct run *run, const struct frame *up, const struct node *node, struct seen *seen,
              const char *keyword, struct step sub)
{
    bool reporting = run->reporting, holds;
    run->reporting = false;
    if (seen != NULL) {
        struct seen own;
        seen_init(&own, up->instance);
        holds = run_charge(run, up, own.n / 64) &&
                run_apply(run, up, node, up->instance, &own, keyword, sub, STEP_NONE);
        if (holds)
            seen_merge(seen, &own);
        seen_free(&own);
    } else {
        holds = run_apply(run, up, node, up->instance, NULL, keyword, sub, STEP_NONE);
    }
    run->reporting = reporting;
    return holds;
}

/* ---- from outside ---------------------------------------------------------------------------- */

static bool run_walk(struct run *run, const struct schema *schema, const json_t *instance)
{
    run->steps = run->document->opts.steps_max;
    run->depth = run->document->opts.depth_max;
    run->stopped = false;
    return run_apply(run, NULL, schema->root, instance, NULL, NULL, STEP_NONE, STEP_NONE);
}

/* One error as a sentence. */
static void error_sentence(struct buf *out, const json_t *error)
{
    const char *path = jx_str(error, "path", "");
    if (*path != '\0')
        buf_printf(out, "\"%s\" ", path);
    else
        buf_append_str(out, "The value ");
    buf_append_str(out, jx_str(error, "message", "does not match the schema"));
}

/* The first error, and how many more there are. What no alternative matched says little, so the
 * fault of the nearest one follows. */
static int run_tell(struct run *run, struct error *err)
{
    if (run->stop_error != NULL && json_array_size(run->errors) == 0)
        json_array_append(run->errors, run->stop_error);
    size_t n = json_array_size(run->errors), shown = 1;
    const json_t *first = json_array_get(run->errors, 0);
    const char *keyword = jx_str(first, "keyword", "");
    buf_auto sentence = BUF_INIT;
    error_sentence(&sentence, first);
    if (n > 1 && (strcmp(keyword, "anyOf") == 0 || strcmp(keyword, "oneOf") == 0)) {
        buf_append_str(&sentence, "; the nearest: ");
        error_sentence(&sentence, json_array_get(run->errors, shown++));
    }
    if (n > shown)
        buf_printf(&sentence, " (and %zu more)", n - shown);
    error_set(err, E_INVALID_REQUEST, "%s", sentence.data);
    error_detail(err, "validationErrors", json_incref(run->errors));
    return -1;
}

int run_validate(const struct schema *schema, const json_t *instance, const char *path_prefix,
                 struct error *err)
{
    struct run run = {.document = schema->document,
                      .errors_max = schema->document->opts.errors_max,
                      .path_prefix = path_prefix};
    bool holds = run_walk(&run, schema, instance);
    if (!holds && err != NULL) {
        run.errors = json_array();
        if (!run.stopped) {
            run.reporting = true;
            run_walk(&run, schema, instance);
        }
        run_tell(&run, err);
        json_decref(run.errors);
    }
    json_decref(run.stop_error);
    matcher_free(run.matcher);
    return holds ? 0 : -1;
}

int schema_validate(const struct schema *schema, const json_t *instance, struct error *err)
{
    return run_validate(schema, instance, "", err);
}
