/* Differences: of texts by line, of JSON values as patches. Any thread. */
#ifndef C9_BASE_DIFF_H
#define C9_BASE_DIFF_H

#include <jansson.h>
#include <stddef.h>

#include "buf.h"

#define DIFF_EDITS_MAX                                                                             \
    1000 /* lines added and removed up to which the shortest difference is sought */

/* Appends a unified diff with three lines of context, as `diff -u` has it, that `patch` takes:
 * nothing when the texts are the same. from_name and to_name stand in its first two lines. Texts
 * that differ in more than DIFF_EDITS_MAX lines between their common beginning and end are shown as
 * one replacement. Work is bounded by lines x DIFF_EDITS_MAX. */
void diff_unified(struct buf *out, const char *from_name, const char *to_name, const char *from,
                  size_t from_len, const char *to, size_t to_len);

/* An RFC 6902 patch that makes `from` to a value equal to `to`: operations add, remove and replace,
 * in an order that can be followed. New array, empty when they are equal (jx_equal). Array elements
 * are compared by place between the common beginning and end. */
json_t *diff_json(const json_t *from, const json_t *to);

#endif
