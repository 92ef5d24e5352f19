/* What c9d adds to jansson: strict bounded decoding, compact encoding, getters that report.
 * Any thread; a json_t belongs to one thread at a time (decref is not atomic across threads
 * while another writes the value). */
#ifndef C9_BASE_JSON_H
#define C9_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "error.h"

static inline void jx_cleanup(json_t **j)
{
    json_decref(*j);
}
#define jx_auto cleanup(jx_cleanup) json_t

#define JX_DEPTH_MAX 64 /* nesting of arrays and objects that jx_decode takes */

/* Decodes one JSON text (RFC 8259), any value at the top. Refused with E_INVALID_REQUEST, line and
 * column: duplicate keys, invalid UTF-8, NUL in strings, nesting over JX_DEPTH_MAX, integers
 * outside int64, reals outside double, anything behind the value. `what` names the text in
 * the message ("request body"). New reference, or NULL. */
json_t *jx_decode(const char *text, size_t len, const char *what, struct error *err);

/* About how many bytes of memory jx_decode takes for the text, never much fewer: to be asked before
 * it is decoded. `[1,1,1]` weighs fifty times its length. */
size_t jx_weight(const char *text, size_t len);

/* Encoding: the value has no cycles (jx_decode and the wire make none); NULL is encoded as null.
 * A real is the shortest text that reads back the same, and stays a real (1.0, not 1). */
/* Compact text; sort: keys in byte order (canonical, for digests). To be freed; never NULL. */
char *jx_encode(const json_t *value, size_t *len_r /* may be NULL */);
char *jx_encode_sorted(const json_t *value, size_t *len_r);
/* Appends the compact text to b: no intermediate copy. */
void jx_append(struct buf *b, const json_t *value);

/* The same for a text (UTF-8) that is no json_t. */
void jx_append_text(struct buf *b, const char *s, size_t len);

/* Members of an object by name; borrowed. A default when absent or of another type. */
const char *jx_str(const json_t *object, const char *key, const char *otherwise);
int64_t jx_int(const json_t *object, const char *key, int64_t otherwise);
bool jx_bool(const json_t *object, const char *key, bool otherwise);

/* A new string of any bytes: each that is no UTF-8 becomes U+FFFD. Never NULL. */
json_t *jx_text(const char *s, size_t len);

/* JSON Pointers (RFC 6901): appends "/name"; whether a text is one; the value at that place
 * (borrowed), NULL when there is none or it is no pointer. */
void jx_pointer_append(struct buf *pointer, const char *name, size_t len);
bool jx_pointer_valid(const char *pointer, size_t len);
const json_t *jx_pointer_get(const json_t *value, const char *pointer);
/* One step of the way: *pointer is valid and begins with '/', and then behind that part of it. */
const json_t *jx_pointer_step(const json_t *value, const char **pointer);

/* The first place where two values differ, keys in byte order: a new object {"path": JSON Pointer,
 * "expected", "got": the values there, absent when there is none, long ones cut to text, "message":
 * one sentence}. NULL when they are equal as by jx_equal. */
json_t *jx_difference(const json_t *expected, const json_t *got);

/* JSON Schema's equality: 1 and 1.0 are equal, key order does not matter. */
bool jx_equal(const json_t *a, const json_t *b);
/* RFC 7396: returns a new value, target and patch are left alone. */
json_t *jx_merge_patch(const json_t *target, const json_t *patch);

#endif
