/* What a change of a schema means to those who call an agent.
 *
 * An input schema that takes less than before breaks callers: a new required member, a narrower
 * type, fewer choices, tighter bounds. An output schema that gives more, or something else, breaks
 * them: a member that is gone or not sure to be there, a wider type, more choices. New optional
 * members break nobody. Keywords are compared one by one, local references followed; where two
 * cannot be compared (a pattern, `not`), a difference counts as a break. */
#ifndef C9_SERVICE_COMPAT_H
#define C9_SERVICE_COMPAT_H

#include <jansson.h>
#include <stdbool.h>

#define COMPAT_CHANGES_MAX 100

enum compat_side { COMPAT_INPUT, COMPAT_OUTPUT };

/* New array of {"path","keyword","breaking","message"}; path is a JSON Pointer into the schema.
 * Empty when nothing changed that a caller could notice: titles, descriptions, defaults. NULL: no
 * schema, which takes anything. Bounded in depth and in changes. Any thread. */
json_t *compat_changes(const json_t *from, const json_t *to, enum compat_side side);
/* Whether none of them is breaking. */
bool compat_kept(const json_t *changes);

#endif
