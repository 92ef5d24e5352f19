/* Keywords about strings. */
#include <string.h>

#include "schema/schema-private.h"

/* In characters (code points): every byte that does not continue one begins one. */
static size_t string_length(const json_t *string)
{
    const char *s = json_string_value(string);
    size_t bytes = json_string_length(string), n = 0;
    for (size_t i = 0; i < bytes; i++)
        n += (s[i] & 0xc0) != 0x80;
    return n;
}

static bool check_max_length(struct run *run, const struct op *op, const struct frame *frame)
{
    if (json_string_length(frame->instance) <= op->count)
        return true;
    if (!run_charge(run, frame, json_string_length(frame->instance) / 64))
        return false;
    size_t length = string_length(frame->instance);
    return length <= op->count ||
           run_fail(run, frame, op, "must be at most %zu characters long, is %zu", op->count,
                    length);
}

int fill_max_length(struct compile *c, struct op *op, const json_t *value)
{
    op->check = check_max_length;
    return fill_count(c, value, op->keyword, &op->count);
}

static bool check_min_length(struct run *run, const struct op *op, const struct frame *frame)
{
    if (json_string_length(frame->instance) / 4 >= op->count)
        return true;
    if (!run_charge(run, frame, json_string_length(frame->instance) / 64))
        return false;
    size_t length = string_length(frame->instance);
    return length >= op->count ||
           run_fail(run, frame, op, "must be at least %zu characters long, is %zu", op->count,
                    length);
}

int fill_min_length(struct compile *c, struct op *op, const json_t *value)
{
    op->check = check_min_length;
    return fill_count(c, value, op->keyword, &op->count);
}

static bool check_pattern(struct run *run, const struct op *op, const struct frame *frame)
{
    if (pattern_matches(run, frame, op->pattern, json_string_value(frame->instance),
                        json_string_length(frame->instance)))
        return true;
    return run_fail(run, frame, op, "must match the pattern %s", json_string_value(op->value));
}

int fill_pattern(struct compile *c, struct op *op, const json_t *value)
{
    char why[256];
    op->pattern = pattern_compile(c->doc, json_string_value(value), json_string_length(value), why);
    if (op->pattern == NULL)
        return document_error(c->doc, c->node->schema, "pattern", c->err,
                              "is not a usable regular expression: %s", why);
    op->check = check_pattern;
    return 0;
}

static bool check_format(struct run *run, const struct op *op, const struct frame *frame)
{
    const char *s = json_string_value(frame->instance);
    size_t len = json_string_length(frame->instance);
    if (!run_charge(run, frame, len / 16))
        return false;
    return op->format->valid(s, len) || run_fail(run, frame, op, "must be %s", op->format->a);
}

/* A format that is not known here is an annotation. */
int fill_format(struct compile *c, struct op *op, const json_t *value)
{
    bool asserted = (c->node->resource->dialect->vocabularies & VOCAB_FORMAT_ASSERTION) != 0;
    if (c->doc->opts.format_annotates && !asserted)
        return 0;
    op->format = format_find(json_string_value(value));
    op->check = op->format != NULL ? check_format : NULL;
    return 0;
}
