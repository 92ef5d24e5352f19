/* Files that are read whole. Any thread. */
#ifndef C9_BASE_FILE_H
#define C9_BASE_FILE_H

#include <stddef.h>

#include "buf.h"
#include "error.h"

/* Appends all of a file to content, with a NUL behind that does not count. More than max bytes are
 * refused, and what was read stays in content. `code` is that of all errors, "PATH: …". */
int file_read(const char *path, size_t max, enum error_code code, struct buf *content,
              struct error *err);
/* The same from a descriptor, which stays open; name: what it is called in errors. */
int file_read_fd(int fd, const char *name, size_t max, enum error_code code, struct buf *content,
                 struct error *err);

#endif
