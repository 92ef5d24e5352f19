/* Keywords about arrays. */
#include "schema/schema-private.h"

static bool check_max_items(struct run *run, const struct op *op, const struct frame *frame)
{
    size_t n = json_array_size(frame->instance);
    return n <= op->count || run_fail(run, frame, op, "must have at most %zu item%s, has %zu",
                                      op->count, op->count == 1 ? "" : "s", n);
}

int fill_max_items(struct compile *c, struct op *op, const json_t *value)
{
    op->check = check_max_items;
    return fill_count(c, value, op->keyword, &op->count);
}

static bool check_min_items(struct run *run, const struct op *op, const struct frame *frame)
{
    size_t n = json_array_size(frame->instance);
    return n >= op->count || run_fail(run, frame, op, "must have at least %zu item%s, has %zu",
                                      op->count, op->count == 1 ? "" : "s", n);
}

int fill_min_items(struct compile *c, struct op *op, const json_t *value)
{
    op->check = check_min_items;
    return fill_count(c, value, op->keyword, &op->count);
}

/* ---- uniqueItems: a few items are compared pair by pair, many are sorted by their hash ------- */

enum { UNIQUE_FEW = 8 };

struct hashed {
    uint64_t hash;
    size_t place;
};

static int hashed_compare(const void *a, const void *b)
{
    const struct hashed *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

static bool pair_equal(const json_t *array, size_t i, size_t j, size_t pair[2])
{
    if (!jx_equal(json_array_get(array, i), json_array_get(array, j)))
        return false;
    pair[0] = i < j ? i : j;
    pair[1] = i < j ? j : i;
    return true;
}

static bool equal_among_few(const json_t *array, size_t pair[2])
{
    for (size_t i = 1; i < json_array_size(array); i++)
        for (size_t j = 0; j < i; j++)
            if (pair_equal(array, i, j, pair))
                return true;
    return false;
}

static bool equal_among_many(struct run *run, const struct frame *frame, size_t pair[2])
{
    size_t i, n = json_array_size(frame->instance);
    json_t *item;
    uint64_t size = n;
    autofree struct hashed *hashed = xmalloc(n * sizeof(*hashed));
    json_array_foreach (frame->instance, i, item)
        hashed[i] = (struct hashed){value_hash(item, &size), i};
    if (!run_charge(run, frame, size))
        return false;
    qsort(hashed, n, sizeof(*hashed), hashed_compare);
    for (i = 1; i < n; i++)
        if (hashed[i].hash == hashed[i - 1].hash &&
            pair_equal(frame->instance, hashed[i].place, hashed[i - 1].place, pair))
            return true;
    return false;
}

static bool check_unique_items(struct run *run, const struct op *op, const struct frame *frame)
{
    size_t pair[2];
    bool equal = json_array_size(frame->instance) <= UNIQUE_FEW
                     ? equal_among_few(frame->instance, pair)
                     : equal_among_many(run, frame, pair);
    if (run->stopped)
        return false;
    return !equal || run_fail(run, frame, op,
                              "must have no two equal items, but those at %zu and "
                              "%zu are",
                              pair[0], pair[1]);
}

int fill_unique_items(struct compile *c, struct op *op, const json_t *value)
{
    (void)c;
    op->check = json_is_true(value) ? check_unique_items : NULL;
    return 0;
}

/* ---- items ----------------------------------------------------------------------------------- */

static bool check_items(struct run *run, const struct op *op, const struct frame *frame)
{
    bool holds = true;
    size_t n = json_array_size(frame->instance);
    for (size_t i = 0; i < n; i++) {
        bool prefix = i < op->items.n;
        const struct node *node = prefix ? op->items.nodes[i] : op->items.rest;
        if (node == NULL)
            break;
        if (frame->seen != NULL)
            seen_mark(frame->seen, i);
        if (run_apply(run, frame, node, json_array_get(frame->instance, i), NULL,
                      prefix ? op->items.prefix_keyword : op->items.rest_keyword,
                      prefix ? STEP_INDEX(i) : STEP_NONE, STEP_INDEX(i)))
            continue;
        holds = false;
        if (!run->reporting || run->stopped)
            break;
    }
    return holds;
}

/* prefixItems and items of 2020-12. */
int fill_prefix_items(struct compile *c, struct op *op, const json_t *value)
{
    const json_t *prefix = keyword_value(c->node, "prefixItems");
    const json_t *rest = keyword_value(c->node, "items");
    if (prefix != NULL && value != prefix)
        return 0; /* compiled already, with prefixItems */
    if (rest != NULL && !json_is_object(rest) && !json_is_boolean(rest))
        rest = NULL; /* refused in its own row */
    op->items.nodes = fill_nodes(c, prefix, &op->items.n);
    op->items.rest = rest != NULL ? document_node(c->doc, rest) : NULL;
    op->items.prefix_keyword = "prefixItems";
    op->items.rest_keyword = "items";
    op->check = check_items;
    return 0;
}

/* items and additionalItems of draft 7. */
int fill_items(struct compile *c, struct op *op, const json_t *value)
{
    op->check = check_items;
    op->items.prefix_keyword = "items";
    if (!json_is_array(value)) {
        op->items.rest = document_node(c->doc, value);
        op->items.rest_keyword = "items";
        return 0;
    }
    const json_t *rest = keyword_value(c->node, "additionalItems");
    op->items.nodes = fill_nodes(c, value, &op->items.n);
    if (json_is_object(rest) || json_is_boolean(rest))
        op->items.rest = document_node(c->doc, rest);
    op->items.rest_keyword = "additionalItems";
    return 0;
}

/* ---- contains -------------------------------------------------------------------------------- */

static bool contains_item(struct run *run, const struct op *op, const struct frame *frame, size_t i)
{
    bool reporting = run->reporting;
    run->reporting = false;
    bool matches = run_apply(run, frame, op->contains.node, json_array_get(frame->instance, i),
                             NULL, "contains", STEP_NONE, STEP_INDEX(i));
    run->reporting = reporting;
    return matches;
}

static bool check_contains(struct run *run, const struct op *op, const struct frame *frame)
{
    bool marks = op->contains.marks && frame->seen != NULL;
    size_t found = 0, n = json_array_size(frame->instance);
    for (size_t i = 0; i < n && !run->stopped; i++) {
        if (!contains_item(run, op, frame, i))
            continue;
        found++;
        if (marks)
            seen_mark(frame->seen, i);
        else if (found >= op->contains.least && op->contains.most == SIZE_MAX)
            break;
    }
    if (run->stopped)
        return false;
    if (found < op->contains.least)
        return run_fail(run, frame, op, "must contain at least %zu item%s that match%s, has %zu",
                        op->contains.least, op->contains.least == 1 ? "" : "s",
                        op->contains.least == 1 ? "es" : "", found);
    if (found > op->contains.most)
        return run_fail(run, frame, op, "must contain at most %zu item%s that match%s, has %zu",
                        op->contains.most, op->contains.most == 1 ? "" : "s",
                        op->contains.most == 1 ? "es" : "", found);
    return true;
}

int fill_contains(struct compile *c, struct op *op, const json_t *value)
{
    const json_t *least = keyword_value(c->node, "minContains");
    const json_t *most = keyword_value(c->node, "maxContains");
    op->contains.node = document_node(c->doc, value);
    op->contains.least = 1;
    op->contains.most = SIZE_MAX;
    op->contains.marks = c->node->resource->dialect->draft == SCHEMA_DRAFT_2020_12;
    op->check = check_contains;
    if (least != NULL && fill_count(c, least, "minContains", &op->contains.least) < 0)
        return -1;
    return most != NULL ? fill_count(c, most, "maxContains", &op->contains.most) : 0;
}

/* ---- unevaluatedItems ------------------------------------------------------------------------ */

static bool check_unevaluated_items(struct run *run, const struct op *op, const struct frame *frame)
{
    bool holds = true;
    size_t n = json_array_size(frame->instance);
    for (size_t i = 0; i < n; i++) {
        if (seen_has(frame->seen, i))
            continue;
        seen_mark(frame->seen, i);
        if (run_apply(run, frame, op->node, json_array_get(frame->instance, i), NULL, op->keyword,
                      STEP_NONE, STEP_INDEX(i)))
            continue;
        holds = false;
        if (!run->reporting || run->stopped)
            break;
    }
    return holds;
}

int fill_unevaluated_items(struct compile *c, struct op *op, const json_t *value)
{
    op->node = document_node(c->doc, value);
    op->check = check_unevaluated_items;
    op->last = true;
    c->node->tracks = true;
    return 0;
}
