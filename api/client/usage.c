#include "client/usage.h"

#include <string.h>

#include "base/nearest.h"

static const char ellipsis[] = "…";

/* Between words: blanks and brackets. */
static const char *skip_gap(const char *p, int *depth)
{
    for (; *p != '\0' && strchr(" []", *p) != NULL; p++)
        if (depth != NULL)
            *depth += *p == '[' ? 1 : *p == ']' ? -1 : 0;
    return p;
}

static bool ends_in_ellipsis(const char *s, size_t len)
{
    size_t n = sizeof(ellipsis) - 1;
    return len >= n && memcmp(s + len - n, ellipsis, n) == 0;
}

bool usage_next(const char **at, struct usage_word *word_r)
{
    struct usage_word word = {0};
    const char *p = skip_gap(*at, NULL);
    word.s = p;
    word.len = strcspn(p, " []|");
    if (word.len == 0)
        return false;
    *at = p + strcspn(p, " []"); /* alternatives are one word */
    word.option = *p == '-';
    word.repeated = ends_in_ellipsis(p, word.len);
    /* An option's value stands right behind it, with nothing but a blank between. */
    const char *next = *at;
    word.value = word.option && next[0] == ' ' && strchr("-[", next[1]) == NULL;
    if (word.value)
        word.repeated = ends_in_ellipsis(next + 1, strcspn(next + 1, " []|"));
    *word_r = word;
    return true;
}

/* Fills what needs the words before: whether this one is in brackets, or an option's value. */
struct walk {
    const char *at, *start;
    bool value_next;
};

static bool walk_next(struct walk *walk, struct usage_word *word_r)
{
    if (!usage_next(&walk->at, word_r))
        return false;
    int depth = 0;
    for (const char *p = walk->start; p < word_r->s; p++)
        depth += *p == '[' ? 1 : *p == ']' ? -1 : 0;
    word_r->optional = depth > 0;
    if (!word_r->option)
        word_r->value = walk->value_next;
    walk->value_next = word_r->option && word_r->value;
    return true;
}

static bool option_find(const char *usage, const char *name, size_t len, struct usage_word *word_r)
{
    struct walk walk = {usage, usage, false};
    while (walk_next(&walk, word_r))
        if (word_r->option && word_r->len == len && memcmp(word_r->s, name, len) == 0)
            return true;
    return false;
}

static int option_unknown(const char *usage, const char *more, const char *name, size_t len,
                          struct error *err)
{
    char *names[2 * ARGS_OPTIONS_MAX];
    size_t n = 0;
    const char *const lines[] = {usage, more};
    for (size_t i = 0; i < countof(lines); i++) {
        struct walk walk = {lines[i], lines[i], false};
        struct usage_word word;
        while (n < countof(names) && walk_next(&walk, &word))
            if (word.option)
                names[n++] = xstrndup(word.s, word.len);
    }
    autofree char *given = xstrndup(name, len);
    const char *near = nearest_name(given, (const char *const *)names, n);
    error_set(err, E_INVALID_REQUEST, "there is no option %s here%s%s%s", given,
              near != NULL ? "; did you mean " : "", near != NULL ? near : "",
              near != NULL ? "?" : "");
    while (n > 0)
        free(names[--n]);
    return -1;
}

/* argv[*i] is an option; *i moves on when its value is the next argument. */
static int option_take(const char *usage, const char *more, int argc, char **argv, int *i,
                       struct args *args, struct error *err)
{
    const char *arg = argv[*i], *value = strchr(arg, '=');
    size_t len = value != NULL ? (size_t)(value - arg) : strlen(arg);
    struct usage_word word;
    if (!option_find(usage, arg, len, &word) && !option_find(more, arg, len, &word))
        return option_unknown(usage, more, arg, len, err);
    if (value != NULL && !word.value)
        return error_set(err, E_INVALID_REQUEST, "%.*s takes no value", (int)len, arg);
    if (word.value && value == NULL && *i + 1 >= argc)
        return error_set(err, E_INVALID_REQUEST, "%s needs a value", arg);
    if (word.value)
        value = value != NULL ? value + 1 : argv[++*i];
    for (size_t k = 0; k < args->n_options && !word.repeated; k++)
        if (args->options[k].name_len == word.len &&
            memcmp(args->options[k].name, word.s, word.len) == 0)
            return error_set(err, E_INVALID_REQUEST, "%.*s was given twice", (int)len, arg);
    if (args->n_options == ARGS_OPTIONS_MAX)
        return error_set(err, E_INVALID_REQUEST, "more than %d options", ARGS_OPTIONS_MAX);
    args->options[args->n_options++] =
        (struct args_option){.name = word.s, .name_len = word.len, .value = value};
    return 0;
}

/* Whether all that must be there is, and no more than may be. */
static int args_check(const char *usage, const struct args *args, struct error *err)
{
    struct walk walk = {usage, usage, false};
    struct usage_word word;
    size_t most = 0;
    bool endless = false;
    while (walk_next(&walk, &word)) {
        if (word.option && !word.optional) {
            autofree char *name = xstrndup(word.s, word.len);
            if (!args_has(args, name))
                return error_set(err, E_INVALID_REQUEST, "%s is missing", name);
        }
        if (word.option || word.value)
            continue;
        most++;
        endless = endless || word.repeated;
        if (!word.optional && args->n < most)
            return error_set(err, E_INVALID_REQUEST, "%.*s is missing", (int)word.len, word.s);
    }
    if (args->n > most && !endless)
        return error_set(err, E_INVALID_REQUEST, "'%s' is one argument too many",
                         args->positional[most]);
    return 0;
}

int usage_parse(const char *usage, const char *more, int argc, char **argv, struct args *args_r,
                struct error *err)
{
    *args_r = (struct args){0};
    bool options = true;
    for (int i = 0; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
            if (option_take(usage, more, argc, argv, &i, args_r, err) < 0)
                return -1;
        } else if (args_r->n == ARGS_POSITIONAL_MAX) {
            return error_set(err, E_INVALID_REQUEST, "more than %d arguments", ARGS_POSITIONAL_MAX);
        } else {
            args_r->positional[args_r->n++] = argv[i];
        }
    }
    return args_has(args_r, "--help") || args_has(args_r, "-h") ? 0
                                                                : args_check(usage, args_r, err);
}

const char *args_at(const struct args *args, size_t n)
{
    return n < args->n ? args->positional[n] : NULL;
}

const char *args_nth(const struct args *args, const char *name, size_t i)
{
    size_t len = strlen(name);
    for (size_t k = 0; k < args->n_options; k++) {
        const struct args_option *option = &args->options[k];
        if (option->name_len == len && memcmp(option->name, name, len) == 0 && i-- == 0)
            return option->value != NULL ? option->value : "";
    }
    return NULL;
}
