/* Keywords about objects. */
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/nearest.h"
#include "schema/schema-private.h"

static bool check_max_properties(struct run *run, const struct op *op, const struct frame *frame)
{
    size_t n = json_object_size(frame->instance);
    return n <= op->count || run_fail(run, frame, op, "must have at most %zu member%s, has %zu",
                                      op->count, op->count == 1 ? "" : "s", n);
}

int fill_max_properties(struct compile *c, struct op *op, const json_t *value)
{
    op->check = check_max_properties;
    return fill_count(c, value, op->keyword, &op->count);
}

static bool check_min_properties(struct run *run, const struct op *op, const struct frame *frame)
{
    size_t n = json_object_size(frame->instance);
    return n >= op->count || run_fail(run, frame, op, "must have at least %zu member%s, has %zu",
                                      op->count, op->count == 1 ? "" : "s", n);
}

int fill_min_properties(struct compile *c, struct op *op, const json_t *value)
{
    op->check = check_min_properties;
    return fill_count(c, value, op->keyword, &op->count);
}

static bool has_member(const json_t *object, const json_t *name)
{
    return json_object_getn(object, json_string_value(name), json_string_length(name)) != NULL;
}

static bool check_required(struct run *run, const struct op *op, const struct frame *frame)
{
    bool holds = true;
    size_t i;
    json_t *name;
    if (!run_charge(run, frame, json_array_size(op->value)))
        return false;
    json_array_foreach (op->value, i, name) {
        if (has_member(frame->instance, name))
            continue;
        holds = run_fail(run, frame, op, "must have the member \"%s\"", json_string_value(name));
        if (!run->reporting)
            break;
    }
    return holds;
}

static int check_names(struct compile *c, const json_t *names, const char *keyword)
{
    size_t i;
    json_t *name;
    json_array_foreach (names, i, name)
        if (!json_is_string(name))
            return document_error(c->doc, c->node->schema, keyword, c->err,
                                  "must list names, but item %zu is %s", i, value_type_name(name));
    return 0;
}

int fill_required(struct compile *c, struct op *op, const json_t *value)
{
    op->check = json_array_size(value) > 0 ? check_required : NULL;
    return check_names(c, value, op->keyword);
}

/* ---- dependentRequired, dependentSchemas, dependencies --------------------------------------- */

struct dependent {
    const char *key;
    size_t len;
    const json_t *names;     /* that have to be there too */
    const struct node *node; /* or NULL: has to match too */
};

static bool names_hold(struct run *run, const struct op *op, const struct frame *frame,
                       const struct dependent *row)
{
    bool holds = true;
    size_t i;
    json_t *name;
    if (!run_charge(run, frame, json_array_size(row->names)))
        return false;
    json_array_foreach (row->names, i, name) {
        if (has_member(frame->instance, name))
            continue;
        holds = run_fail(run, frame, op, "must have the member \"%s\", since it has \"%s\"",
                         json_string_value(name), row->key);
    }
    return holds;
}

static bool check_dependents(struct run *run, const struct op *op, const struct frame *frame)
{
    bool holds = true;
    if (!run_charge(run, frame, op->dependents.n))
        return false;
    for (size_t i = 0; i < op->dependents.n && (holds || run->reporting); i++) {
        const struct dependent *row = &op->dependents.rows[i];
        if (json_object_getn(frame->instance, row->key, row->len) == NULL)
            continue;
        if (row->node == NULL ? !names_hold(run, op, frame, row)
                              : !run_apply(run, frame, row->node, frame->instance, frame->seen,
                                           op->keyword, STEP_KEY(row->key, row->len), STEP_NONE))
            holds = false;
    }
    return holds;
}

int fill_dependencies(struct compile *c, struct op *op, const json_t *value)
{
    const char *key;
    size_t len;
    json_t *member;
    struct dependent *row =
        arena_alloc(&c->doc->arena, (json_object_size(value) + 1) * sizeof(struct dependent));
    op->dependents.rows = row;
    op->dependents.n = json_object_size(value);
    op->check = check_dependents;
    json_object_keylen_foreach((json_t *)value, key, len, member)
    {
        *row = (struct dependent){.key = key, .len = len};
        if (json_is_array(member)) {
            row->names = member;
            if (check_names(c, member, op->keyword) < 0)
                return -1;
        } else {
            row->node = document_node(c->doc, member);
        }
        row++;
    }
    return 0;
}

int fill_dependent_required(struct compile *c, struct op *op, const json_t *value)
{
    const char *key;
    json_t *member;
    json_object_foreach ((json_t *)value, key, member)
        if (!json_is_array(member))
            return document_error(c->doc, c->node->schema, op->keyword, c->err,
                                  "must have arrays of names, but \"%s\" is %s", key,
                                  value_type_name(member));
    return fill_dependencies(c, op, value);
}

int fill_dependent_schemas(struct compile *c, struct op *op, const json_t *value)
{
    return fill_dependencies(c, op, value); /* the index saw that all members are schemas */
}

/* ---- properties, patternProperties, additionalProperties ------------------------------------- */

struct member {
    const char *key;
    size_t len;
    const struct node *node;
};
struct member_pattern {
    const char *text;
    size_t len;
    const struct pattern *pattern;
    const struct node *node;
};
struct members {
    struct member *named; /* by length, then bytes: found in O(log n) whatever the names are */
    size_t named_count;
    struct member_pattern *patterns;
    size_t pattern_count;
    const struct node *additional; /* NULL: not there */
};

static int member_compare(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return memcmp(x->key, y->key, x->len);
}

static const struct member *member_find(const struct members *members, const char *key, size_t len)
{
    size_t low = 0, high = members->named_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct member *m = &members->named[middle];
        int order = len != m->len ? (len < m->len ? -1 : 1) : memcmp(key, m->key, len);
        if (order == 0)
            return m;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

enum { NAMES_TOLD = 8 /* more would hide the message */, NAMES_COMPARED = 64 };

/* What a member that is not allowed may have been meant to be, to be freed: the nearest name, else
 * all of a few; NULL when there is nothing to say. */
static char *member_instead(const struct members *members, const char *key)
{
    size_t n = members->named_count;
    if (n == 0 || n > NAMES_COMPARED)
        return NULL;
    buf_auto few = BUF_INIT;
    autofree const char **names = xcalloc(n, sizeof(*names));
    for (size_t i = 0; i < n; i++) {
        names[i] = members->named[i].key;
        buf_printf(&few, "%s\"%s\"", i > 0 ? ", " : "", names[i]);
    }
    const char *nearest = nearest_name(key, names, n);
    if (nearest != NULL)
        return xasprintf("did you mean \"%s\"?", nearest);
    return n <= NAMES_TOLD ? xasprintf("there %s %s", n == 1 ? "is" : "are", few.data) : NULL;
}

static bool additional_holds(struct run *run, const struct members *members,
                             const struct frame *frame, const char *key, const json_t *value,
                             struct step at)
{
    bool told = run->reporting && !run_full(run) && members->additional->never;
    autofree char *instead = told ? member_instead(members, key) : NULL;
    run->instead = instead;
    bool holds = run_apply(run, frame, members->additional, value, NULL, "additionalProperties",
                           STEP_NONE, at);
    run->instead = NULL;
    return holds;
}

/* One member against all three. *known_r: whether one of them is about it. */
static bool member_holds(struct run *run, const struct members *members, const struct frame *frame,
                         const char *key, size_t len, const json_t *value, bool *known_r)
{
    struct step at = STEP_KEY(key, len);
    const struct member *named = member_find(members, key, len);
    bool holds = true, known = named != NULL;
    if (named != NULL)
        holds = run_apply(run, frame, named->node, value, NULL, "properties", at, at);
    for (size_t i = 0; i < members->pattern_count && !run->stopped; i++) {
        const struct member_pattern *p = &members->patterns[i];
        if (!pattern_matches(run, frame, p->pattern, key, len))
            continue;
        known = true;
        holds &= run_apply(run, frame, p->node, value, NULL, "patternProperties",
                           STEP_KEY(p->text, p->len), at);
    }
    if (!known && members->additional != NULL) {
        known = true;
        holds = additional_holds(run, members, frame, key, value, at);
    }
    *known_r = known;
    return holds && !run->stopped;
}

static bool check_members(struct run *run, const struct op *op, const struct frame *frame)
{
    bool holds = true, known;
    const char *key;
    size_t len, i = 0;
    json_t *value;
    if (!run_charge(run, frame, json_object_size(frame->instance)))
        return false;
    json_object_keylen_foreach((json_t *)frame->instance, key, len, value)
    {
        if (!member_holds(run, op->members, frame, key, len, value, &known)) {
            holds = false;
            if (!run->reporting || run->stopped)
                break;
        }
        if (known && frame->seen != NULL)
            seen_mark(frame->seen, i);
        i++;
    }
    return holds;
}

static void fill_named(struct compile *c, struct members *members, const json_t *properties)
{
    const char *key;
    size_t len;
    json_t *schema;
    members->named_count = json_object_size(properties);
    struct member *m = arena_alloc(&c->doc->arena, (members->named_count + 1) * sizeof(*m));
    members->named = m;
    json_object_keylen_foreach((json_t *)properties, key, len, schema) *m++ =
        (struct member){key, len, document_node(c->doc, schema)};
    qsort(members->named, members->named_count, sizeof(*m), member_compare);
}

static int fill_patterns(struct compile *c, struct members *members, const json_t *patterns)
{
    const char *key;
    char why[256];
    size_t len;
    json_t *schema;
    members->pattern_count = json_object_size(patterns);
    struct member_pattern *p =
        arena_alloc(&c->doc->arena, (members->pattern_count + 1) * sizeof(*p));
    members->patterns = p;
    json_object_keylen_foreach((json_t *)patterns, key, len, schema)
    {
        *p = (struct member_pattern){key, len, pattern_compile(c->doc, key, len, why),
                                     document_node(c->doc, schema)};
        if (p->pattern == NULL)
            return document_error(c->doc, c->node->schema, "patternProperties", c->err,
                                  "has \"%s\", which is not a usable regular expression: %s", key,
                                  why);
        p++;
    }
    return 0;
}

int fill_members(struct compile *c, struct op *op, const json_t *value)
{
    const json_t *parts[] = {keyword_value(c->node, "properties"),
                             keyword_value(c->node, "patternProperties"),
                             keyword_value(c->node, "additionalProperties")};
    for (size_t i = 0; i < countof(parts) && parts[i] != value; i++)
        if (parts[i] != NULL)
            return 0; /* compiled already, with the first of them */
    struct members *members = arena_alloc(&c->doc->arena, sizeof(*members));
    fill_named(c, members, parts[0]);
    if (fill_patterns(c, members, json_is_object(parts[1]) ? parts[1] : NULL) < 0)
        return -1;
    if (json_is_object(parts[2]) || json_is_boolean(parts[2]))
        members->additional = document_node(c->doc, parts[2]);
    op->members = members;
    op->check = check_members;
    return 0;
}

/* ---- propertyNames --------------------------------------------------------------------------- */

/* The name is looked at on its own; what is wrong with it is told of the object that has it. */
static bool name_holds(struct run *run, const struct op *op, const struct frame *frame,
                       const char *key, size_t len)
{
    bool reporting = run->reporting;
    json_t *errors = run->errors;
    jx_auto *name = json_stringn(key, len);
    if (reporting)
        run->errors = json_array();
    bool holds = name != NULL &&
                 run_apply(run, frame, op->node, name, NULL, op->keyword, STEP_NONE, STEP_NONE);
    if (!reporting)
        return holds;
    jx_auto *mine = run->errors;
    run->errors = errors;
    return holds || run_fail(run, frame, op, "has the member \"%s\", whose name %s", key,
                             jx_str(json_array_get(mine, 0), "message", "is not allowed"));
}

static bool check_property_names(struct run *run, const struct op *op, const struct frame *frame)
{
    bool holds = true;
    const char *key;
    size_t len;
    json_t *value;
    json_object_keylen_foreach((json_t *)frame->instance, key, len, value)
    {
        (void)value;
        if (name_holds(run, op, frame, key, len))
            continue;
        holds = false;
        if (!run->reporting || run->stopped)
            break;
    }
    return holds;
}

int fill_property_names(struct compile *c, struct op *op, const json_t *value)
{
    op->node = document_node(c->doc, value);
    op->check = op->node != &node_true ? check_property_names : NULL;
    return 0;
}

/* ---- unevaluatedProperties ------------------------------------------------------------------- */

static bool check_unevaluated_properties(struct run *run, const struct op *op,
                                         const struct frame *frame)
{
    bool holds = true;
    const char *key;
    size_t len, i = 0;
    json_t *value;
    json_object_keylen_foreach((json_t *)frame->instance, key, len, value)
    {
        size_t place = i++;
        if (seen_has(frame->seen, place))
            continue;
        seen_mark(frame->seen, place);
        if (run_apply(run, frame, op->node, value, NULL, op->keyword, STEP_NONE,
                      STEP_KEY(key, len)))
            continue;
        holds = false;
        if (!run->reporting || run->stopped)
            break;
    }
    return holds;
}

int fill_unevaluated_properties(struct compile *c, struct op *op, const json_t *value)
{
    op->node = document_node(c->doc, value);
    op->check = check_unevaluated_properties;
    op->last = true;
    c->node->tracks = true;
    return 0;
}
