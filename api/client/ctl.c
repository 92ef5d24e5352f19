/* From argv to a row of the table. */
#include <string.h>

#include "base/nearest.h"
#include "client/command.h"
#include "client/term.h"

enum { ARGV_MAX = 4096 };

/* Options may stand before the command: how many arguments they are. */
static int leading_options(int argc, char **argv)
{
    int i = 0;
    while (i < argc && argv[i][0] == '-') {
        const char *p = commands_more;
        struct usage_word word;
        bool value = false;
        while (usage_next(&p, &word))
            if (word.option && word.len == strlen(argv[i]) &&
                memcmp(word.s, argv[i], word.len) == 0)
                value = word.value;
        i += value && i + 1 < argc ? 2 : 1;
    }
    return i;
}

static int unknown(const char *noun, const char *verb)
{
    const char *names[64];
    size_t n = 0;
    for (size_t i = 0; i < commands_n && n < countof(names); i++) {
        if (verb == NULL && (n == 0 || strcmp(names[n - 1], commands[i].noun) != 0))
            names[n++] = commands[i].noun;
        else if (verb == NULL)
            continue;
        else if (strcmp(commands[i].noun, noun) == 0 && commands[i].verb != NULL)
            names[n++] = commands[i].verb;
    }
    const char *near = nearest_name(verb != NULL ? verb : noun, names, n);
    autofree char *given = verb != NULL ? xasprintf("%s %s", noun, verb) : xstrdup(noun);
    autofree char *hint = near == NULL   ? xstrdup("")
                          : verb != NULL ? xasprintf("; did you mean '%s %s'?", noun, near)
                                         : xasprintf("; did you mean '%s'?", near);
    term_say("there is no command '%s'%s\n  `c9ctl help%s%s` lists them.", given, hint,
             verb != NULL ? " " : "", verb != NULL ? noun : "");
    return EXIT_USAGE;
}

/* The row for the words, and how many words name it. NULL after having said what is wrong. */
static const struct command *command_find(int argc, char **argv, int *words_r)
{
    const char *noun = argv[0], *verb = argc > 1 ? argv[1] : NULL;
    const struct command *alone = NULL;
    bool known = false, verbs = false;
    for (size_t i = 0; i < commands_n; i++) {
        const struct command *c = &commands[i];
        if (strcmp(c->noun, noun) != 0)
            continue;
        known = true;
        verbs = verbs || c->verb != NULL;
        if (c->verb == NULL)
            alone = c;
        else if (verb != NULL && strcmp(c->verb, verb) == 0) {
            *words_r = 2;
            return c;
        }
    }
    *words_r = 1;
    bool is_option = verb == NULL || verb[0] == '-';
    if (alone != NULL && (!verbs || is_option))
        return alone;
    if (known && verb == NULL) {
        term_say("%s what? `c9ctl help %s` says", noun, noun);
        return NULL;
    }
    unknown(noun, known ? verb : NULL);
    return NULL;
}

static int command_start(const struct command *command, int argc, char **argv)
{
    error_auto err = ERROR_INIT;
    cleanup(client_free) struct client client = {.profile = PROFILE_INIT};
    struct args args;
    if (usage_parse(command->usage, commands_more, argc, argv, &args, &err) < 0) {
        term_say("%s", err.message);
        command_usage(command, STDERR_FILENO);
        return EXIT_USAGE;
    }
    if (args_has(&args, "--help") || args_has(&args, "-h")) {
        command_usage(command, STDOUT_FILENO);
        return EXIT_DONE;
    }
    client.json = args_has(&args, "--json");
    return command->run != NULL ? command->run(&client, &args)
                                : route_run(&client, &args, command->route);
}

/* `c9ctl agent --help`, where the noun alone is no command: what `c9ctl help agent` says. */
static bool asks_about_noun(int argc, char **argv)
{
    bool known = false;
    if (argc != 2 || (strcmp(argv[1], "--help") != 0 && strcmp(argv[1], "-h") != 0))
        return false;
    for (size_t i = 0; i < commands_n; i++)
        if (strcmp(commands[i].noun, argv[0]) == 0 && commands[i].verb == NULL)
            return false;
        else
            known = known || strcmp(commands[i].noun, argv[0]) == 0;
    return known;
}

int client_main(int argc, char **argv)
{
    static char help[] = "help", version[] = "version";
    term_setup();
    argc--;
    argv++;
    if (argc > ARGV_MAX) {
        term_say("more than %d arguments", ARGV_MAX);
        return EXIT_USAGE;
    }
    int before = leading_options(argc, argv), words = 1;
    if (before == argc) {
        char *alone[] = {argc > 0 && strcmp(argv[0], "--version") == 0 ? version : help};
        const struct command *command = command_find(1, alone, &words);
        int rc = command_start(command, 0, NULL);
        return argc == 0 ? EXIT_USAGE : rc;
    }
    char *about[] = {help, argv[before]};
    if (asks_about_noun(argc - before, argv + before)) {
        argc = countof(about);
        argv = about;
        before = 0;
    }
    const struct command *command = command_find(argc - before, argv + before, &words);
    if (command == NULL)
        return EXIT_USAGE;
    autofree char **rest = xcalloc((size_t)argc + 1, sizeof(*rest));
    int n = 0;
    for (int i = 0; i < argc; i++)
        if (i < before || i >= before + words)
            rest[n++] = argv[i];
    return command_start(command, n, rest);
}
