#include "base/paths.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

/* What was handed out, for the life of the process. */
struct kept {
    struct kept *before;
    char path[];
};

static const char *keep(const char *path)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct kept *last;
    size_t size = strlen(path) + 1;
    struct kept *kept = xmalloc(sizeof(*kept) + size);
    memcpy(kept->path, path, size);
    pthread_mutex_lock(&lock);
    kept->before = last;
    last = kept;
    pthread_mutex_unlock(&lock);
    return kept->path;
}

const char *path_beside(const char *name, const char *installed)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0)
        return installed;
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    *slash = '\0';
    autofree char *found = xasprintf("%s/%s", self, name);
    return access(found, F_OK) == 0 ? keep(found) : installed;
}
