/* The configuration in force as a commented file. */
#include <string.h>

#include "base/config-private.h"

static const char *const type_names[] = {
    [CONFIG_STRING] = "text",        [CONFIG_INT] = "number",    [CONFIG_BOOL] = "true or false",
    [CONFIG_DURATION] = "duration",  [CONFIG_SIZE] = "size",     [CONFIG_CHOICE] = "one of",
    [CONFIG_LIST] = "list of words", [CONFIG_SECRET] = "secret",
};

static void value_print(const struct config_value *v, FILE *out)
{
    const struct config_key *row = v->row;
    bool given = strcmp(v->origin, "default") != 0;
    fprintf(out, "\n# %s (%s%s%s)\n", row->help, type_names[row->type],
            row->choices != NULL ? " " : "", row->choices != NULL ? row->choices : "");
    fprintf(out, "%s%s = %s\n", given ? "" : "#", row->key,
            v->text == NULL              ? ""
            : row->type == CONFIG_SECRET ? "(secret)"
                                         : v->text);
}

static bool same_section(const struct config_value *a, const struct config_value *b)
{
    return strcmp(a->section, b->section) == 0 &&
           strcmp(a->instance != NULL ? a->instance : "", b->instance != NULL ? b->instance : "") ==
               0;
}

void config_print(const struct config *config, FILE *out)
{
    for (size_t i = 0; i < config->n_values; i++) {
        const struct config_value *v = &config->values[i];
        bool first = true;
        for (size_t j = 0; j < i && first; j++)
            first = !same_section(&config->values[j], v);
        if (!first)
            continue; /* its section was printed where it first came up */
        fprintf(out, "%s[%s%s%s]\n", i > 0 ? "\n" : "", v->section, v->instance != NULL ? " " : "",
                v->instance != NULL ? v->instance : "");
        for (size_t j = i; j < config->n_values; j++)
            if (same_section(&config->values[j], v))
                value_print(&config->values[j], out);
    }
}
