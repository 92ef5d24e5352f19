/* Anybody's text as a condition, a mapping or a target of a chain: it is refused with a place that
 * is in it, or becomes a tree that the loop knows, which survives being stored. The first byte says
 * which. */
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "service/chain_expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* An operator, and as many trees behind it as it takes. */
static void tree_holds(const json_t *tree)
{
    static const struct {
        const char *name;
        size_t least, most;
        bool leaf;
    } operators[] = {
        {"$", 1, SIZE_MAX, true},     {"=", 1, 1, true},          {"json", 1, 1, true},
        {"text", 0, SIZE_MAX, false}, {"exists", 1, 1, false},    {"not", 1, 1, false},
        {"and", 2, SIZE_MAX, false},  {"or", 2, SIZE_MAX, false}, {"==", 2, 2, false},
        {"!=", 2, 2, false},          {"<", 2, 2, false},         {"<=", 2, 2, false},
        {">", 2, 2, false},           {">=", 2, 2, false},
    };
    const char *operator= json_string_value(json_array_get(tree, 0));
    size_t n = json_array_size(tree) - 1, i = 0;
    must(operator!= NULL);
    while (i < countof(operators) && strcmp(operators[i].name, operator) != 0)
        i++;
    must(i < countof(operators) && n >= operators[i].least && n <= operators[i].most);
    for (size_t k = 1; k <= n && !operators[i].leaf; k++)
        tree_holds(json_array_get(tree, k));
}

static void path_holds(void *arg, const json_t *path)
{
    must(strcmp(json_string_value(json_array_get(path, 0)), "$") == 0);
    ++*(size_t *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static json_t *(*const parsers[])(const char *, size_t, struct error *) = {
        chain_condition_parse, chain_mapping_parse, chain_target_parse};
    error_auto err = ERROR_INIT;
    size_t n_paths = 0, column = 0;
    if (size < 1)
        return 0;
    size_t which = data[0] % countof(parsers), len = strnlen((const char *)data + 1, size - 1);
    if (!utf8_valid((const char *)data + 1, len))
        return 0;
    autofree char *text = xstrndup((const char *)data + 1, len);
    jx_auto *tree = parsers[which](text, len, &err);
    must((tree == NULL) == (err.code == E_INVALID_REQUEST));
    if (tree == NULL) {
        must(sscanf(err.message, "column %zu:", &column) == 1 && column >= 1 && column <= len + 1);
        return 0;
    }
    if (parsers[which] != chain_target_parse) {
        tree_holds(tree);
        chain_expr_paths(tree, path_holds, &n_paths);
    }
    size_t stored_len;
    autofree char *stored = jx_encode(tree, &stored_len);
    jx_auto *again = jx_decode(stored, stored_len, "a tree", NULL);
    must(again != NULL && json_equal(again, tree));
    return 0;
}
