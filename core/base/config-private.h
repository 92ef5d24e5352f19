/* What the files of the configuration share among themselves. */
#ifndef C9_BASE_CONFIG_PRIVATE_H
#define C9_BASE_CONFIG_PRIVATE_H

#include <jansson.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/config.h"

enum {
    CONFIG_FILE_MAX = 1 << 20, /* bytes of one file */
    CONFIG_FILES_MAX = 256,    /* in conf.d */
    CONFIG_LINE_MAX = 4096,    /* bytes of one line */
    CONFIG_ENTRIES_MAX = 4096, /* keys, and sections, of all files */
    CONFIG_SECTION_MAX = 49,   /* libinih cuts longer section names */
    CONFIG_SECRET_MAX = 64 << 10
};

/* A "[name instance]" line. The names of files are owned by the config. */
struct config_section {
    char *name, *instance; /* instance NULL for a plain section */
    const char *file;
    int line;
    atomic_bool asked; /* somebody knows that the section has instances: else it is refused */
};

/* A "key = value" line. */
struct config_entry {
    const struct config_section *section;
    char *key, *text;
    const char *file;
    int line;
};

/* A declared key of one section or instance, with the value in force. */
struct config_value {
    char *section, *instance;
    const struct config_key *row;
    char *text; /* NULL: none */
    int64_t number;
    char *origin;
};

/* What is wrong, all of it; the first makes the message. */
struct config_problems {
    json_t *rows; /* NULL: nothing */
    char first[ERROR_MESSAGE_MAX / 2];
};

struct config {
    struct config_problems problems;
    char *folder; /* of the main file, NULL without one */
    char **files;
    struct config_section **sections;
    struct config_entry *entries;
    struct config_value *values;
    size_t n_files, n_sections, n_entries, n_values;
};

/* Grows a vector by one zeroed row and returns the row. */
#define config_grow(rows, n)                                                                       \
    ({                                                                                             \
        if (((n) & ((n)-1)) == 0)                                                                  \
            (rows) = xrealloc((rows), ((n) > 0 ? 2 * (n) : 1) * sizeof(*(rows)));                  \
        memset(&(rows)[n], 0, sizeof(*(rows)));                                                    \
        &(rows)[(n)++];                                                                            \
    })

/* Adds the sections and entries of a file. */
int config_file_read(struct config *config, const char *path, struct error *err);

/* Checks text against the row and gives the number of INT, SIZE, DURATION, BOOL. On failure
 * why says what is wrong with it. */
int config_value_parse(const struct config_key *row, const char *text, int64_t *number_r,
                       struct buf *why);

#endif
