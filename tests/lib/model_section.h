/* Opens one model from the text of a configuration. */
#ifndef C9_TESTS_MODEL_SECTION_H
#define C9_TESTS_MODEL_SECTION_H

#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "host/model.h"
#include "tap.h"

/* The configuration from text; aborts when it does not parse. */
static inline struct config *section_config(const char *text)
{
    autofree char *path = tap_temporary();
    error_auto err = ERROR_INIT;
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        abort();
    close(fd);
    struct config *config = config_load(path, &err);
    unlink(path);
    if (config == NULL) {
        printf("Bail out! %s\n", err.message);
        abort();
    }
    return config;
}

static inline struct host *section_host(void)
{
    const char *build = getenv("C9_BUILD");
    autofree char *folder = xasprintf("%s/plugins", build != NULL ? build : "build");
    return host_new(folder, "/tmp");
}

#endif
