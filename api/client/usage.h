/* A command's usage line is its grammar: what help shows is what is taken.
 *
 *     NAME [FILE…] -f FILE [--status STATUS] [--yes]
 *
 * Upper-case words are positional arguments, in brackets optional, with "…" repeatable (the last
 * one only). Words with '-' are options; one takes a value when a word without '-' follows it, and
 * may be repeated when that word ends in "…". What stands behind a '|' is said for people:
 * "FILE|-", "draft|published". One thread. */
#ifndef C9_CLIENT_USAGE_H
#define C9_CLIENT_USAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum { ARGS_OPTIONS_MAX = 24, ARGS_POSITIONAL_MAX = 256 };

struct args {
    const char *positional[ARGS_POSITIONAL_MAX];
    size_t n;
    struct args_option {
        const char *name; /* "--status", as in the usage, not NUL-terminated */
        size_t name_len;
        const char *value; /* NULL for a flag */
    } options[ARGS_OPTIONS_MAX];
    size_t n_options;
};

/* Reads argv by the grammar, and by `more`, options that every command takes. What args_r points to
 * is borrowed from both. -1 with E_INVALID_REQUEST and a sentence that names the argument. */
int usage_parse(const char *usage, const char *more, int argc, char **argv, struct args *args_r,
                struct error *err);

/* The n-th positional argument, or NULL. */
const char *args_at(const struct args *args, size_t n);
/* The value of "--name" (a flag that was given: ""), or NULL when it was not given. The i-th of
 * several. */
const char *args_nth(const struct args *args, const char *name, size_t i);
static inline const char *args_get(const struct args *args, const char *name)
{
    return args_nth(args, name, 0);
}
static inline bool args_has(const struct args *args, const char *name)
{
    return args_nth(args, name, 0) != NULL;
}

/* Walks the words of a usage line: what completion and the parser share. */
struct usage_word {
    const char *s;
    size_t len;
    bool optional; /* in brackets */
    bool repeated;
    bool option;
    bool value; /* an option: takes a value; an upper-case word: is that value */
};
/* The word at *at, which moves behind it; false at the end. */
bool usage_next(const char **at, struct usage_word *word_r);

#endif
