/* Keywords that apply other schemas to the same value. */
#include <string.h>

#include "schema/schema-private.h"

static bool check_ref(struct run *run, const struct op *op, const struct frame *frame)
{
    return run_apply(run, frame, op->node, frame->instance, frame->seen, op->keyword, STEP_NONE,
                     STEP_NONE);
}

static const struct node *resolve(struct compile *c, const char *keyword, const json_t *value,
                                  const char **anchor_r)
{
    error_auto why = ERROR_INIT;
    const struct node *node =
        document_resolve(c->doc, c->node->resource, json_string_value(value), anchor_r, &why);
    if (node == NULL && why.details != NULL)
        error_move(c->err, &why); /* a fault of what it leads to, which has its place */
    else if (node == NULL)
        document_error(c->doc, c->node->schema, keyword, c->err, "leads nowhere: %s", why.message);
    return node;
}

int fill_ref(struct compile *c, struct op *op, const json_t *value)
{
    const char *anchor;
    op->node = resolve(c, op->keyword, value, &anchor);
    op->check = check_ref;
    return op->node != NULL ? 0 : -1;
}

/* The outermost resource on the way here that has the anchor decides. */
static bool check_dynamic_ref(struct run *run, const struct op *op, const struct frame *frame)
{
    const struct node *node = op->dynamic.node;
    uint64_t steps = 0;
    const struct frame *f = frame;
    do {
        const struct resource *resource = f->node->resource;
        if (f->up != NULL && f->up->node->resource == resource)
            continue;
        for (const struct dynamic_anchor *a = resource->dynamic_anchors; a != NULL; a = a->next) {
            steps++;
            if (strcmp(a->name, op->dynamic.name) == 0) {
                node = a->node;
                break;
            }
        }
    } while ((f = f->up) != NULL);
    return run_charge(run, frame, steps) &&
           run_apply(run, frame, node, frame->instance, frame->seen, op->keyword, STEP_NONE,
                     STEP_NONE);
}

int fill_dynamic_ref(struct compile *c, struct op *op, const json_t *value)
{
    const char *anchor;
    const struct node *node = resolve(c, op->keyword, value, &anchor);
    if (node == NULL)
        return -1;
    if (anchor == NULL) {
        op->node = node;
        op->check = check_ref;
        return 0;
    }
    op->dynamic.node = node;
    op->dynamic.name = anchor;
    op->check = check_dynamic_ref;
    return 0;
}

/* ---- allOf, anyOf, oneOf, not ---------------------------------------------------------------- */

static bool check_all_of(struct run *run, const struct op *op, const struct frame *frame)
{
    bool holds = true;
    for (size_t i = 0; i < op->list.n; i++) {
        if (run_apply(run, frame, op->list.nodes[i], frame->instance, frame->seen, op->keyword,
                      STEP_INDEX(i), STEP_NONE))
            continue;
        holds = false;
        if (!run->reporting || run->stopped)
            break;
    }
    return holds;
}

/* What is wrong with the alternative that comes nearest: the one with the fewest errors among
 * those whose type is right. */
static void tell_nearest(struct run *run, const struct op *op, const struct frame *frame)
{
    json_t *outer = run->errors, *nearest = NULL;
    char *path = frame_pointer(run, frame);
    for (size_t i = 0; i < op->list.n && !run->stopped; i++) {
        run->errors = json_array();
        run_apply(run, frame, op->list.nodes[i], frame->instance, NULL, op->keyword, STEP_INDEX(i),
                  STEP_NONE);
        const json_t *first = json_array_get(run->errors, 0);
        bool other_type = strcmp(jx_str(first, "keyword", ""), "type") == 0 &&
                          strcmp(jx_str(first, "path", ""), path) == 0;
        if (first != NULL && !other_type &&
            (nearest == NULL || json_array_size(run->errors) < json_array_size(nearest))) {
            json_decref(nearest);
            nearest = json_incref(run->errors);
        }
        json_decref(run->errors);
    }
    run->errors = outer;
    free(path);
    for (size_t i = 0; i < json_array_size(nearest) && !run_full(run); i++)
        json_array_append(outer, json_array_get(nearest, i));
    json_decref(nearest);
}

static bool none_matches(struct run *run, const struct op *op, const struct frame *frame)
{
    if (!run->reporting || run->stopped || run_full(run))
        return false;
    if (op->list.n == 1)
        return check_all_of(run, op, frame);
    run_fail(run, frame, op, "must match %s of the %zu alternatives, matches none",
             strcmp(op->keyword, "oneOf") == 0 ? "one" : "at least one", op->list.n);
    tell_nearest(run, op, frame);
    return false;
}

/* All are tried when someone asks what was evaluated. */
static bool check_any_of(struct run *run, const struct op *op, const struct frame *frame)
{
    bool matched = false;
    for (size_t i = 0; i < op->list.n && !run->stopped; i++) {
        if (!run_test(run, frame, op->list.nodes[i], frame->seen, op->keyword, STEP_INDEX(i)))
            continue;
        matched = true;
        if (frame->seen == NULL)
            break;
    }
    if (run->stopped)
        return false;
    return matched || none_matches(run, op, frame);
}

static bool check_one_of(struct run *run, const struct op *op, const struct frame *frame)
{
    size_t matched = SIZE_MAX;
    for (size_t i = 0; i < op->list.n && !run->stopped; i++) {
        if (!run_test(run, frame, op->list.nodes[i], frame->seen, op->keyword, STEP_INDEX(i)))
            continue;
        if (matched != SIZE_MAX)
            return run_fail(run, frame, op,
                            "must match one of the %zu alternatives, matches both %zu and %zu",
                            op->list.n, matched, i);
        matched = i;
    }
    if (run->stopped)
        return false;
    return matched != SIZE_MAX || none_matches(run, op, frame);
}

static int fill_list(struct compile *c, struct op *op, const json_t *value, op_check *check)
{
    op->list.nodes = fill_nodes(c, value, &op->list.n);
    op->check = check;
    if (op->list.n == 0)
        return document_error(c->doc, c->node->schema, op->keyword, c->err,
                              "must have at least one schema");
    return 0;
}

int fill_all_of(struct compile *c, struct op *op, const json_t *value)
{
    return fill_list(c, op, value, check_all_of);
}

int fill_any_of(struct compile *c, struct op *op, const json_t *value)
{
    return fill_list(c, op, value, check_any_of);
}

int fill_one_of(struct compile *c, struct op *op, const json_t *value)
{
    return fill_list(c, op, value, check_one_of);
}

static bool check_not(struct run *run, const struct op *op, const struct frame *frame)
{
    if (!run_test(run, frame, op->node, NULL, op->keyword, STEP_NONE))
        return !run->stopped;
    return run_fail(run, frame, op, "must not match the schema in \"not\"");
}

int fill_not(struct compile *c, struct op *op, const json_t *value)
{
    op->node = document_node(c->doc, value);
    op->check = check_not;
    return 0;
}

/* ---- if, then, else -------------------------------------------------------------------------- */

static bool check_if(struct run *run, const struct op *op, const struct frame *frame)
{
    bool matches = run_test(run, frame, op->branch.condition, frame->seen, "if", STEP_NONE);
    const struct node *node = matches ? op->branch.yes : op->branch.no;
    if (run->stopped)
        return false;
    return node == NULL || run_apply(run, frame, node, frame->instance, frame->seen,
                                     matches ? "then" : "else", STEP_NONE, STEP_NONE);
}

int fill_if(struct compile *c, struct op *op, const json_t *value)
{
    const json_t *yes = keyword_value(c->node, "then"), *no = keyword_value(c->node, "else");
    op->branch.condition = document_node(c->doc, value);
    op->branch.yes = yes != NULL ? document_node(c->doc, yes) : NULL;
    op->branch.no = no != NULL ? document_node(c->doc, no) : NULL;
    op->check = check_if;
    return 0;
}
