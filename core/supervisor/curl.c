#include "supervisor/curl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

static const char library[] = "libcurl.so.4"; /* the name of its ABI */

#define CURL_ROW(name) {"curl_" #name, offsetof(struct curl, name)},
static const struct {
    const char *name;
    size_t offset;
} rows[] = {CURL_FUNCTIONS(CURL_ROW)};

static struct curl loaded;
static bool ready;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int load(struct error *err)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return error_set(err, E_HTTP_FAILED, "libcurl is needed for HTTP: %s", dlerror());
    for (size_t i = 0; i < countof(rows); i++) {
        void *function = dlsym(handle, rows[i].name);
        if (function == NULL) {
            dlclose(handle);
            return error_set(err, E_HTTP_FAILED, "%s is too old: it has no %s", library,
                             rows[i].name);
        }
        *(void **)((char *)&loaded + rows[i].offset) = function;
    }
    CURLcode failed = loaded.global_init(CURL_GLOBAL_DEFAULT);
    if (failed != CURLE_OK)
        return error_set(err, E_HTTP_FAILED, "libcurl cannot be initialised: %s",
                         loaded.easy_strerror(failed));
    return 0;
}

const struct curl *curl_load(struct error *err)
{
    pthread_mutex_lock(&lock);
    ready = ready || load(err) == 0;
    pthread_mutex_unlock(&lock);
    return ready ? &loaded : NULL;
}
