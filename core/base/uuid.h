/* UUIDs as lower-case text. */
#ifndef C9_BASE_UUID_H
#define C9_BASE_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UUID_SIZE 37 /* 36 characters and NUL */

/* UUIDv7 (RFC 9562 §5.7): 48 bits of milliseconds, then a 12-bit counter within the millisecond
 * (method 1) so that ids made by one process sort in the order made, then 62 random bits.
 * Any thread. Returns out. */
char *uuid_make(char out[UUID_SIZE]);
/* UUIDv8 (RFC 9562 §5.8) of a text's SHA-256: the same text, the same id. Any thread. Returns out.
 */
char *uuid_of_text(const char *text, size_t len, char out[UUID_SIZE]);
/* The same, but with the time of another id, and behind it the place (the highest is 4095): lists
 * in the order of ids have it behind that one, and beside others of the time. */
char *uuid_behind(const char *id, uint64_t place, const char *text, size_t len,
                  char out[UUID_SIZE]);
/* Canonical 8-4-4-4-12 form with lower-case digits, any version. */
bool uuid_valid(const char *s, size_t len);

#endif
