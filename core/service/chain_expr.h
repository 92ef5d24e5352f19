/* The small language of chains: paths, mappings and conditions. Texts are read here, once, when a
 * chain is saved, and become trees of JSON; skills/chain_loop.lua evaluates those in the sandbox.
 *
 *     condition:  $.steps.check.output.score >= 0.5 and not exists($.vars.done)
 *     or:         and ("or" and)*
 *     and:        unary ("and" unary)*
 *     unary:      "not" unary | operand [("==" | "!=" | "<" | "<=" | ">" | ">=") operand]
 *     operand:    path | literal | "exists" "(" path ")" | "(" or ")"
 *     literal:    a JSON text in double quotes or single ones, number, true, false, null
 *     path:       "$" ("." name | "[" number "]" | "[" text "]")*      name: letters, digits, _ -
 *
 *     mapping:    a path; "=" and a JSON value; or any text, in which {{path}} stands for the value
 *     target:     name ("." name | "[" text "]")*, or "$" for the whole
 *
 * Trees: ["$", step…], ["=", literal], ["json", JSON text], ["text", tree…], ["exists", tree],
 * ["not", tree],
 * ["and", tree…], ["or", tree…], and [comparison, tree, tree].
 *
 * Texts are those of json_t: a NUL is behind them, and none in them. */
#ifndef C9_SERVICE_CHAIN_EXPR_H
#define C9_SERVICE_CHAIN_EXPR_H

#include <jansson.h>

#include "base/error.h"

/* A new tree, or NULL with "column N: why" in err (E_INVALID_REQUEST). Any thread. */
json_t *chain_condition_parse(const char *text, size_t len, struct error *err);
json_t *chain_mapping_parse(const char *text, size_t len, struct error *err);
/* A new array of names; empty for "$". */
json_t *chain_target_parse(const char *text, size_t len, struct error *err);

/* Calls fn with each path in a tree. */
void chain_expr_paths(const json_t *tree, void (*fn)(void *arg, const json_t *path), void *arg);

#endif
