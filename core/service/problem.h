/* What is wrong with a value, all at once: an array of {"path","message"}, as
 * details.validationErrors has it. Bounded: further ones are dropped. */
#ifndef C9_SERVICE_PROBLEM_H
#define C9_SERVICE_PROBLEM_H

#include <jansson.h>

#include "base/error.h"

#define PROBLEMS_MAX 50

/* path: a JSON Pointer. */
void problem_add(json_t *problems, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* path + "/" + name as a token of a JSON Pointer; to be freed. */
char *problem_path(const char *path, const char *name);
/* Takes the places of a schema error (details.validationErrors) under path. */
void problem_add_error(json_t *problems, const char *path, const struct error *err);
/* "; did you mean 'x'?" when some candidate is near, else "". To be freed. */
char *problem_hint(const char *word, const char *const *candidates, size_t n);
/* "there is no such WHAT", with the nearest of those there are, or with all when none is near. */
void problem_unknown(json_t *problems, const char *path, const char *what, const char *word,
                     const char *const *candidates, size_t n);
/* The same for each member of the object that has none of the names. */
void problem_unknown_members(json_t *problems, const char *path, const json_t *object,
                             const char *const *names, size_t n);
/* 0 when there are none; else -1 and err: code, "WHAT: PATH: MESSAGE (and n more)", the problems in
 * details. */
int problem_raise(const json_t *problems, enum error_code code, const char *what,
                  struct error *err);

#endif
