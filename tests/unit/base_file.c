/* Files that are read whole. */
#include "base/file.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

static void test_sizes(void)
{
    static const size_t sizes[] = {0, 1, 16383, 16384, 16385, 100000};
    for (size_t i = 0; i < countof(sizes); i++) {
        size_t size = sizes[i];
        autofree char *written = xmalloc(size + 1);
        for (size_t j = 0; j < size; j++)
            written[j] = (char)(j % 251);
        autofd int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
        if (fd < 0 || write(fd, written, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
            abort();
        buf_auto content = BUF_INIT;
        error_auto err = ERROR_INIT;
        buf_append_str(&content, "before");
        is_int(file_read_fd(fd, "it", size + 6, E_INTERNAL, &content, &err), 0, "%zu bytes", size);
        ok(content.len == size + 6 && memcmp(content.data, "before", 6) == 0 &&
               memcmp(content.data + 6, written, size) == 0,
           "and they stand behind what was there");
        is_int(content.data[content.len], 0, "with a NUL behind");
    }
}

static void test_refused(void)
{
    buf_auto content = BUF_INIT;
    error_auto large = ERROR_INIT, missing = ERROR_INIT, folder = ERROR_INIT;
    is_int(file_read("/proc/self/status", 16, E_CONFIG_INVALID, &content, &large), -1,
           "more than may be");
    is_int(large.code, E_CONFIG_INVALID, "with the caller's code");
    is_str(large.message, "/proc/self/status: larger than 16 bytes", "and the path");
    is_int(file_read("/nowhere/at all", 16, E_CONFIG_INVALID, &content, &missing), -1, "no file");
    is_str(missing.message, "/nowhere/at all: cannot open: No such file or directory", "says why");
    is_int(file_read("/proc", 16, E_CONFIG_INVALID, &content, &folder), -1, "a folder");
    is_str(folder.message, "/proc: cannot read: Is a directory", "says that it is one");
}

int main(void)
{
    test_sizes();
    test_refused();
    return done_testing();
}
