/* Any bytes as a configuration file: read or refused with its place; then declared and checked. */
#include "base/config.h"

#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct config_key keys[] = {
    {"s", "text", CONFIG_STRING, NULL, 0, 0, NULL, "Text."},
    {"s", "int", CONFIG_INT, "7", -100, 100, NULL, "A number."},
    {"s", "bool", CONFIG_BOOL, "no", 0, 0, NULL, "A boolean."},
    {"s", "time", CONFIG_DURATION, "1s", 0, 60 * CLOCK_SECOND, NULL, "A duration."},
    {"s", "size", CONFIG_SIZE, "1KiB", 0, 0, NULL, "A size."},
    {"s", "one", CONFIG_CHOICE, "a", 0, 0, "a|bc|d", "A choice."},
    {"s", "list", CONFIG_LIST, "a b", 0, 0, NULL, "A list."},
    {"m", "plugin", CONFIG_STRING, NULL, 0, 0, NULL, "Of a named section."},
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_error(const struct error *err)
{
    must(err->code == E_CONFIG_INVALID && err->message[0] != '\0');
    must(utf8_valid(err->message, strlen(err->message)));
}

static void use(struct config *config)
{
    error_auto err = ERROR_INIT;
    if (config_declare(config, keys, countof(keys), &err) < 0)
        check_error(&err);
    const char *names[4];
    must(config_instances(config, "m", names, 4) <= 4);
    if (config_check(config, &err) < 0)
        check_error(&err);
    config_int(config, "s", NULL, "int");
    must(config_origin(config, "s", NULL, "text") != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    autofd int fd = memfd_create("config", MFD_CLOEXEC);
    must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    error_auto err = ERROR_INIT;
    struct config *config = config_load(path, &err);
    if (config == NULL)
        check_error(&err);
    else
        use(config);
    config_free(config);
    return 0;
}
