/* Configuration: INI files (libinih), environment over file, secrets from files.
 *
 * Every key there is stands in a table of the one who reads it; a key that is in no table is an
 * error with file, line and the nearest right name. Sections may carry a name: "[model default]"
 * is section "model", instance "default". Environment: C9D_SECTION_KEY, or
 * C9D_SECTION_INSTANCE_KEY, upper case, '-' as '_'. A key K that is a secret can be given as
 * K_file (its content, one trailing newline cut); a relative K_file is looked for in
 * $CREDENTIALS_DIRECTORY (systemd credentials) first, then beside the configuration file.
 *
 * The environment overrides keys; instances come from the files only. Comments start with '#' or
 * ';' (also behind a value, after a blank). A key given twice in one section is an error. */
#ifndef C9_BASE_CONFIG_H
#define C9_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "error.h"

enum config_type {
    CONFIG_STRING,
    CONFIG_INT,      /* decimal int64, min..max */
    CONFIG_BOOL,     /* true|false|yes|no|on|off|1|0 */
    CONFIG_DURATION, /* clock_parse_duration; config_int gives µs; min, max in µs */
    CONFIG_SIZE,     /* bytes, with optional KiB, MiB, GiB; config_int gives bytes */
    CONFIG_CHOICE,   /* one of `choices`, separated by '|' */
    CONFIG_LIST,     /* words separated by spaces or commas; config_string gives the raw text */
    CONFIG_SECRET    /* as string; never printed; K_file is understood too */
};

struct config_key {
    const char *section, *key;
    enum config_type type;
    const char *otherwise; /* default as text; NULL: none (config_string gives NULL, numbers 0) */
    int64_t min, max;      /* both 0: not bounded */
    const char *choices;
    const char *help; /* one sentence, for `c9d check-config --defaults` */
};

struct config;

/* Loads path (may be NULL: defaults and environment only), then path's folder + "/conf.d" *.conf
 * in byte order; later values win. A file that is missing is an error; a missing conf.d is not.
 * Syntax errors only are found here. NULL on failure: "FILE:LINE: …". */
struct config *config_load(const char *path, struct error *err);
void config_free(struct config *config);

/* Declares the keys that are valid in the section of each row (plain, and every instance there is),
 * and checks the values given: 0, or -1 with err as config_check, when one of these is wrong; its
 * default is then in force, so that the caller can go on and find more. May be called several
 * times (plugins add theirs; `keys` and what they point to are borrowed for the config's life). */
int config_declare(struct config *config, const struct config_key *keys, size_t n,
                   struct error *err);
/* As config_declare, for one named instance of a section only (instance NULL: the plain section);
 * key rows' section is ignored. */
int config_declare_instance(struct config *config, const char *section, const char *instance,
                            const struct config_key *keys, size_t n, struct error *err);
/* After all was declared: every section and key that was given and never declared, and each named
 * section whose instances nobody asked for (config_instances, config_declare_instance). 0, or -1
 * with all of them in err->details.problems ([{file,line,section,key,message}]) and the first,
 * as "FILE:LINE: …", in the message. */
int config_check(struct config *config, struct error *err);
/* Adds what the one who reads a declared key finds wrong with it. Returns -1, err as config_check.
 */
int config_problem(struct config *config, const char *section, const char *instance,
                   const char *key, const char *message, struct error *err);

/* Values, borrowed for the config's life; any thread once all is declared. instance is NULL for a
 * plain section. The key must have been declared (abort: a bug). */
const char *config_string(const struct config *config, const char *section, const char *instance,
                          const char *key);
int64_t config_int(const struct config *config, const char *section, const char *instance,
                   const char *key); /* INT, SIZE, DURATION */
bool config_bool(const struct config *config, const char *section, const char *instance,
                 const char *key);
/* The instances of a section in the order met, e.g. "default", "cheap" for [model …]. Returns how
 * many names_r (borrowed) has: max at the most; of further ones nobody declares the keys. */
size_t config_instances(const struct config *config, const char *section, const char **names_r,
                        size_t max);
/* "FILE:LINE", "environment", or "default": where the value in force came from. Borrowed. */
const char *config_origin(const struct config *config, const char *section, const char *instance,
                          const char *key);

/* Writes every declared key as a commented configuration file: help, type, value in force. */
void config_print(const struct config *config, FILE *out);

#endif
