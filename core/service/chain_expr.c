#include "service/chain_expr.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"

enum { DEPTH_MAX = 30 /* of parentheses */, TREE_MAX = JX_DEPTH_MAX - 16 };

struct reader {
    const char *start, *at, *end;
    unsigned depth;
    struct error *err;
};

static json_t *refuse(struct reader *r, const char *expected)
{
    if (r->err == NULL || r->err->code == E_NONE)
        error_set(r->err, E_INVALID_REQUEST, "column %zu: %s", (size_t)(r->at - r->start) + 1,
                  expected);
    return NULL;
}

static void spaces(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n'))
        r->at++;
}

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static size_t name_len(const struct reader *r)
{
    size_t n = 0;
    while (r->at + n < r->end && name_char(r->at[n]))
        n++;
    return n;
}

static bool take(struct reader *r, const char *token)
{
    size_t n = strlen(token);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, token, n) != 0)
        return false;
    r->at += n;
    return true;
}

static bool take_word(struct reader *r, const char *word)
{
    if (name_len(r) != strlen(word))
        return false;
    return take(r, word);
}

/* ---- literals ---- */

/* "…" as JSON has it, or '…' without escapes. */
static json_t *read_text(struct reader *r)
{
    const char *from = r->at, quote = *from;
    const char *to = from + 1;
    while (to < r->end && *to != quote)
        to += quote == '"' && *to == '\\' && to + 1 < r->end ? 2 : 1;
    if (to >= r->end)
        return refuse(r, "the text does not end");
    r->at = to + 1;
    if (quote == '\'')
        return jx_text(from + 1, (size_t)(to - from - 1));
    json_t *text = json_loadb(from, (size_t)(to + 1 - from), JSON_DECODE_ANY, NULL);
    r->at = text != NULL ? r->at : from;
    return text != NULL ? text : refuse(r, "this is no JSON text");
}

static json_t *read_number(struct reader *r)
{
    size_t n = strspn(r->at, "+-.0123456789eE");
    if (n > (size_t)(r->end - r->at))
        n = (size_t)(r->end - r->at);
    json_t *number = n > 0 ? json_loadb(r->at, n, JSON_DECODE_ANY, NULL) : NULL;
    if (number == NULL)
        return refuse(r, "expected a path ($.…), a text, a number, true, false, null, exists(path) "
                         "or (");
    r->at += n;
    return number;
}

static json_t *read_literal(struct reader *r)
{
    json_t *value = take_word(r, "true")              ? json_true()
                    : take_word(r, "false")           ? json_false()
                    : take_word(r, "null")            ? json_null()
                    : *r->at == '"' || *r->at == '\'' ? read_text(r)
                                                      : read_number(r);
    return value != NULL ? json_pack("[s, o]", "=", value) : NULL;
}

/* ---- paths ---- */

static json_t *read_index(struct reader *r)
{
    json_t *step = NULL;
    if (r->at < r->end && (*r->at == '"' || *r->at == '\'')) {
        step = read_text(r);
    } else {
        json_int_t index = 0;
        size_t n = 0;
        while (r->at + n < r->end && r->at[n] >= '0' && r->at[n] <= '9' && n < 10)
            index = index * 10 + (r->at[n++] - '0');
        if (n == 0)
            return refuse(r, "expected a number, or a name in quotes");
        r->at += n;
        step = json_integer(index);
    }
    if (step != NULL && !take(r, "]")) {
        json_decref(step);
        return refuse(r, "expected ]");
    }
    return step;
}

/* The steps behind "$", or behind the first name of a target, appended to path. */
static int read_steps(struct reader *r, json_t *path)
{
    for (;;) {
        json_t *step = NULL;
        if (take(r, ".")) {
            size_t n = name_len(r);
            step = n > 0 ? json_stringn(r->at, n) : refuse(r, "expected a name");
            r->at += n;
        } else if (take(r, "[")) {
            step = read_index(r);
        } else {
            return 0;
        }
        if (step == NULL)
            return -1;
        json_array_append_new(path, step);
    }
}

static json_t *read_path(struct reader *r)
{
    if (!take(r, "$"))
        return refuse(r, "expected a path, such as $.input.name");
    jx_auto *path = json_pack("[s]", "$");
    if (read_steps(r, path) < 0)
        return NULL;
    if (json_array_size(path) < 2)
        return refuse(r, "expected .input, .steps, .vars or .previous behind $");
    return move_ptr(&path);
}

/* ---- conditions ---- */

static json_t *read_or(struct reader *r);

static json_t *read_exists(struct reader *r)
{
    spaces(r);
    if (!take(r, "("))
        return refuse(r, "expected ( behind exists");
    spaces(r);
    jx_auto *path = read_path(r);
    spaces(r);
    if (path != NULL && !take(r, ")"))
        return refuse(r, "expected )");
    return path != NULL ? json_pack("[s, O]", "exists", path) : NULL;
}

static json_t *read_operand(struct reader *r)
{
    spaces(r);
    if (r->at == r->end)
        return refuse(r, "something is missing at the end");
    if (*r->at == '$')
        return read_path(r);
    if (take_word(r, "exists"))
        return read_exists(r);
    if (!take(r, "("))
        return read_literal(r);
    jx_auto *inner = read_or(r);
    spaces(r);
    if (inner != NULL && !take(r, ")"))
        return refuse(r, "expected )");
    return move_ptr(&inner);
}

static json_t *read_unary(struct reader *r)
{
    static const char *const operators[] = {"==", "!=", "<=", ">=", "<", ">"};
    spaces(r);
    if (take_word(r, "not")) {
        if (++r->depth > DEPTH_MAX)
            return refuse(r, "the condition is nested too deep");
        json_t *inner = read_unary(r);
        r->depth--;
        return inner != NULL ? json_pack("[s, o]", "not", inner) : NULL;
    }
    jx_auto *left = read_operand(r);
    if (left == NULL)
        return NULL;
    spaces(r);
    for (size_t i = 0; i < countof(operators); i++) {
        if (!take(r, operators[i]))
            continue;
        json_t *right = read_operand(r);
        return right != NULL ? json_pack("[s, O, o]", operators[i], left, right) : NULL;
    }
    return move_ptr(&left);
}

/* One term, or ["and", term…]. */
static json_t *read_terms(struct reader *r, const char *word, json_t *(*next)(struct reader *))
{
    jx_auto *terms = json_pack("[s]", word);
    do {
        json_t *term = next(r);
        if (term == NULL)
            return NULL;
        json_array_append_new(terms, term);
        spaces(r);
    } while (take_word(r, word));
    return json_array_size(terms) == 2 ? json_incref(json_array_get(terms, 1)) : move_ptr(&terms);
}

static json_t *read_and(struct reader *r)
{
    return read_terms(r, "and", read_unary);
}

static json_t *read_or(struct reader *r)
{
    if (++r->depth > DEPTH_MAX)
        return refuse(r, "the condition is nested too deep");
    json_t *tree = read_terms(r, "or", read_and);
    r->depth--;
    return tree;
}

static unsigned depth_of(const json_t *value)
{
    unsigned deepest = 0;
    const char *key;
    json_t *member;
    json_object_foreach ((json_t *)value, key, member) {
        unsigned depth = depth_of(member);
        deepest = depth > deepest ? depth : deepest;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        unsigned depth = depth_of(json_array_get(value, i));
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

/* The tree, if it is all there was, and no deeper than what plans may be made of. */
static json_t *whole(struct reader *r, json_t *tree, const char *otherwise)
{
    spaces(r);
    if (tree == NULL || (r->at == r->end && depth_of(tree) <= TREE_MAX))
        return tree;
    json_decref(tree);
    return refuse(r, r->at == r->end ? "it is nested too deep" : otherwise);
}

static struct reader reader_of(const char *text, size_t len, struct error *err)
{
    struct reader r = {text, text, text + len, 0, err};
    spaces(&r);
    return r;
}

json_t *chain_condition_parse(const char *text, size_t len, struct error *err)
{
    struct reader r = reader_of(text, len, err);
    return whole(&r, read_or(&r), "expected and, or, a comparison, or the end");
}

/* ---- mappings ---- */

/* "Dear {{$.input.name}}, …" */
static json_t *read_template(struct reader *r)
{
    jx_auto *tree = json_pack("[s]", "text");
    while (r->at < r->end) {
        const char *open = memmem(r->at, (size_t)(r->end - r->at), "{{", 2);
        size_t plain = (size_t)((open != NULL ? open : r->end) - r->at);
        if (plain > 0)
            json_array_append_new(tree, json_pack("[s, o]", "=", jx_text(r->at, plain)));
        r->at += plain;
        if (open == NULL)
            break;
        r->at += 2;
        spaces(r);
        json_t *path = read_path(r);
        if (path == NULL)
            return NULL;
        json_array_append_new(tree, path);
        spaces(r);
        if (!take(r, "}}"))
            return refuse(r, "expected }}");
    }
    return move_ptr(&tree);
}

json_t *chain_mapping_parse(const char *text, size_t len, struct error *err)
{
    struct reader r = reader_of(text, len, err);
    if (r.at < r.end && *r.at == '$')
        return whole(&r, read_path(&r), "expected the end of the path");
    if (!take(&r, "=")) {
        r.at = r.start;
        return read_template(&r);
    }
    error_auto failure = ERROR_INIT;
    jx_auto *value = jx_decode(r.at, (size_t)(r.end - r.at), "the value behind =", &failure);
    if (value == NULL)
        return refuse(&r, failure.message);
    autofree char *again = jx_encode(value, NULL);
    return json_pack("[s, s]", "json", again);
}

json_t *chain_target_parse(const char *text, size_t len, struct error *err)
{
    struct reader r = reader_of(text, len, err);
    jx_auto *names = json_array();
    if (len == 1 && *text == '$')
        return move_ptr(&names);
    size_t n = name_len(&r);
    if (n > 0)
        json_array_append_new(names, json_stringn(r.at, n));
    r.at += n;
    if (n == 0 && *r.at != '[')
        return refuse(&r, "expected the name of a member, or $ for the whole");
    if (read_steps(&r, names) < 0)
        return NULL;
    for (size_t i = 0; i < json_array_size(names); i++)
        if (!json_is_string(json_array_get(names, i)))
            return refuse(&r, "a target names members, no items of arrays");
    return whole(&r, move_ptr(&names), "expected the end of the target");
}

void chain_expr_paths(const json_t *tree, void (*fn)(void *arg, const json_t *path), void *arg)
{
    const char *operator= json_string_value(json_array_get(tree, 0));
    if (operator== NULL || strcmp(operator, "=") == 0 || strcmp(operator, "json") == 0)
        return;
    if (strcmp(operator, "$") == 0) {
        fn(arg, tree);
        return;
    }
    for (size_t i = 1; i < json_array_size(tree); i++)
        chain_expr_paths(json_array_get(tree, i), fn, arg);
}
