/* Keywords about a value of any type, and about numbers. */
#include <string.h>

#include "schema/schema-private.h"

static const struct {
    const char *name, *a;
    unsigned types;
} types[] = {
    {"null", "null", APPLIES(JSON_NULL)},
    {"boolean", "a boolean", APPLIES_BOOLEAN},
    {"object", "an object", APPLIES(JSON_OBJECT)},
    {"array", "an array", APPLIES(JSON_ARRAY)},
    {"number", "a number", APPLIES_NUMBER},
    {"string", "a string", APPLIES(JSON_STRING)},
    {"integer", "an integer", APPLIES(JSON_INTEGER) | TYPE_INTEGER},
};

static bool check_type(struct run *run, const struct op *op, const struct frame *frame)
{
    unsigned type = APPLIES(json_typeof(frame->instance));
    if (op->types & type)
        return true;
    if (type == APPLIES(JSON_REAL) && (op->types & TYPE_INTEGER) &&
        number_is_integer(frame->instance))
        return true;
    if (!run->reporting)
        return false;
    buf_auto wanted = BUF_INIT;
    for (size_t i = 0; i < countof(types); i++)
        if ((op->types & types[i].types) == types[i].types &&
            !(types[i].types & TYPE_INTEGER && op->types & APPLIES(JSON_REAL)))
            buf_printf(&wanted, "%s%s", wanted.len > 0 ? " or " : "", types[i].a);
    return run_fail(run, frame, op, "must be %s, is %s", wanted.data,
                    value_type_name(frame->instance));
}

int fill_type(struct compile *c, struct op *op, const json_t *value)
{
    size_t n = json_is_array(value) ? json_array_size(value) : 1;
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
        const char *name = json_is_string(item) ? json_string_value(item) : "";
        size_t t = 0;
        while (t < countof(types) && strcmp(types[t].name, name) != 0)
            t++;
        if (t == countof(types))
            return document_error(c->doc, c->node->schema, "type", c->err,
                                  "must name types: null, boolean, object, array, number, string "
                                  "or integer");
        op->types |= types[t].types;
    }
    op->check = check_type;
    return 0;
}

static bool check_const(struct run *run, const struct op *op, const struct frame *frame)
{
    if (jx_equal(op->value, frame->instance))
        return true;
    if (!run->reporting)
        return false;
    char excerpt[64];
    bool large = json_is_object(op->value) || json_is_array(op->value);
    return run_fail(run, frame, op, "must be %s",
                    large ? "equal to the value of \"const\"" : value_excerpt(op->value, excerpt));
}

int fill_const(struct compile *c, struct op *op, const json_t *value)
{
    (void)c;
    (void)value;
    op->check = check_const;
    return 0;
}

/* ---- enum: a few values are compared, many are found by their hash --------------------------- */

enum { ENUM_FEW = 8, ENUM_SHOWN = 10 };

struct constant {
    uint64_t hash;
    const json_t *value;
};
struct constants {
    size_t n;
    struct constant *sorted; /* by hash; NULL for a few */
};

static int constant_compare(const void *a, const void *b)
{
    uint64_t x = ((const struct constant *)a)->hash, y = ((const struct constant *)b)->hash;
    return (x > y) - (x < y);
}

static bool constants_have(struct run *run, const struct op *op, const struct frame *frame)
{
    const struct constants *constants = op->constants;
    if (constants->sorted == NULL) {
        for (size_t i = 0; i < constants->n; i++)
            if (jx_equal(json_array_get(op->value, i), frame->instance))
                return true;
        return false;
    }
    uint64_t size = 0, hash = value_hash(frame->instance, &size);
    if (!run_charge(run, frame, size))
        return false;
    size_t low = 0, high = constants->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (constants->sorted[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < constants->n && constants->sorted[low].hash == hash; low++)
        if (jx_equal(constants->sorted[low].value, frame->instance))
            return true;
    return false;
}

static bool check_enum(struct run *run, const struct op *op, const struct frame *frame)
{
    if (constants_have(run, op, frame))
        return true;
    if (!run->reporting)
        return false;
    buf_auto list = BUF_INIT;
    size_t i;
    json_t *value;
    char excerpt[64];
    json_array_foreach (op->value, i, value) {
        if (i == ENUM_SHOWN) {
            buf_printf(&list, " and %zu more", op->constants->n - i);
            break;
        }
        buf_printf(&list, "%s%s", i > 0 ? ", " : "", value_excerpt(value, excerpt));
    }
    return run_fail(run, frame, op, "must be one of %s", list.len > 0 ? list.data : "no values");
}

int fill_enum(struct compile *c, struct op *op, const json_t *value)
{
    size_t i;
    json_t *item;
    struct constants *constants = arena_alloc(&c->doc->arena, sizeof(*constants));
    constants->n = json_array_size(value);
    if (constants->n > ENUM_FEW) {
        constants->sorted = arena_alloc(&c->doc->arena, constants->n * sizeof(struct constant));
        uint64_t size = 0;
        json_array_foreach (value, i, item)
            constants->sorted[i] = (struct constant){value_hash(item, &size), item};
        qsort(constants->sorted, constants->n, sizeof(struct constant), constant_compare);
    }
    op->constants = constants;
    op->check = check_enum;
    return 0;
}

/* ---- numbers --------------------------------------------------------------------------------- */

#define CHECK_LIMIT(name, relation, sentence)                                                      \
    static bool check_##name(struct run *run, const struct op *op, const struct frame *frame)      \
    {                                                                                              \
        if (number_compare(frame->instance, op->value) relation 0)                                 \
            return true;                                                                           \
        if (!run->reporting)                                                                       \
            return false;                                                                          \
        char is[64], limit[64];                                                                    \
        return run_fail(run, frame, op, "must be " sentence " %s, is %s",                          \
                        value_excerpt(op->value, limit), value_excerpt(frame->instance, is));      \
    }                                                                                              \
    int fill_##name(struct compile *c, struct op *op, const json_t *value)                         \
    {                                                                                              \
        (void)c;                                                                                   \
        (void)value;                                                                               \
        op->check = check_##name;                                                                  \
        return 0;                                                                                  \
    }

CHECK_LIMIT(maximum, <=, "at most")
CHECK_LIMIT(minimum, >=, "at least")
CHECK_LIMIT(exclusive_maximum, <, "less than")
CHECK_LIMIT(exclusive_minimum, >, "more than")

static bool check_multiple_of(struct run *run, const struct op *op, const struct frame *frame)
{
    if (number_is_multiple(frame->instance, op->divisor))
        return true;
    if (!run->reporting)
        return false;
    char is[64], divisor[64];
    return run_fail(run, frame, op, "must be a multiple of %s, is %s",
                    value_excerpt(op->value, divisor), value_excerpt(frame->instance, is));
}

int fill_multiple_of(struct compile *c, struct op *op, const json_t *value)
{
    if (json_number_value(value) <= 0)
        return document_error(c->doc, c->node->schema, "multipleOf", c->err, "must be more than 0");
    op->divisor = number_decimal(value);
    op->check = check_multiple_of;
    return 0;
}
