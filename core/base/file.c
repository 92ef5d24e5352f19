#include "base/file.h"

#include <errno.h>
#include <fcntl.h>

enum { PIECE = 16 << 10 };

int file_read_fd(int fd, const char *name, size_t max, enum error_code code, struct buf *content,
                 struct error *err)
{
    for (;;) {
        buf_reserve(content, PIECE);
        ssize_t n = read(fd, content->data + content->len, PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(err, code, "%s: cannot read", name);
        content->len += (size_t)n;
        content->data[content->len] = '\0';
        if (content->len > max)
            return error_set(err, code, "%s: larger than %zu bytes", name, max);
        if (n == 0)
            return 0;
    }
}

int file_read(const char *path, size_t max, enum error_code code, struct buf *content,
              struct error *err)
{
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return error_errno(err, code, "%s: cannot open", path);
    return file_read_fd(fd, path, max, code, content, err);
}
