/* Help and bash completion, both made of the table. */
#include <string.h>

#include "client/command.h"
#include "client/term.h"

static void append_name(struct buf *out, const struct command *c)
{
    buf_printf(out, "c9ctl %s%s%s", c->noun, c->verb != NULL ? " " : "",
               c->verb != NULL ? c->verb : "");
}

/* A word of a usage line as it is shown: what is in brackets stays together. */
static size_t shown_len(const char *p)
{
    size_t len = 0;
    for (int depth = 0; p[len] != '\0' && (p[len] != ' ' || depth > 0); len++)
        depth += p[len] == '[' ? 1 : p[len] == ']' ? -1 : 0;
    return len;
}

/* Name and usage; on a terminal in lines of its width. */
static void append_usage(struct buf *out, const struct command *c, const char *before, int fd)
{
    enum { INDENT = 8 };
    size_t width = term_columns(fd), begin = out->len;
    buf_append_str(out, before);
    append_name(out, c);
    for (const char *p = c->usage; *p != '\0'; p += *p == ' ') {
        size_t len = shown_len(p);
        if (width > 0 && out->len - begin + 1 + len > width) {
            buf_append_char(out, '\n');
            begin = out->len;
            buf_printf(out, "%*s", INDENT - 1, "");
        }
        buf_printf(out, " %.*s", (int)len, p);
        p += len;
    }
    buf_append_char(out, '\n');
}

void command_usage(const struct command *command, int fd)
{
    buf_auto text = BUF_INIT;
    append_usage(&text, command, "usage: ", fd);
    buf_printf(&text, "%s\n", command->help);
    if (fd == STDOUT_FILENO)
        buf_printf(&text, "Every command takes %s\n", commands_more);
    term_write(fd, text.data, text.len);
}

static const char tail[] =
    "\nEvery command takes --json (the API's JSON on standard output), --profile NAME, --url URL,\n"
    "--token-file FILE and --help. What has a name is named by it, or by its id.\n"
    "\n"
    "The server and the token come from --url and --token-file, else from C9CTL_URL and "
    "C9CTL_TOKEN,\n"
    "else from the profile (--profile, C9CTL_PROFILE, or the default one) in\n"
    "~/.config/c9d/c9ctl.conf, which `c9ctl login` writes.\n"
    "\n"
    "Exit: 0 done or completed, 1 failed or refused, 2 wrong usage, 3 no server or token,\n"
    "4 the execution was cancelled, 5 `apply --dry-run` has something to do, 130 left by Ctrl-C\n"
    "while it goes on.\n";

static void help_all(struct buf *out)
{
    buf_append_str(out, "c9ctl commands c9d, which runs AI agents on your own machine.\n\n"
                        "usage: c9ctl COMMAND …\n");
    for (size_t i = 0; i < commands_n; i++) {
        const struct command *c = &commands[i];
        autofree char *name = xasprintf("%s%s%s", c->noun, c->verb != NULL ? " " : "",
                                        c->verb != NULL ? c->verb : "");
        /* A group begins with another noun, and where the nouns without verbs begin. */
        const struct command *last = i > 0 ? c - 1 : NULL;
        bool first = last == NULL || (c->verb == NULL) != (last->verb == NULL) ||
                     (c->verb != NULL && strcmp(last->noun, c->noun) != 0);
        buf_printf(out, "%s  %-18s %s\n", first ? "\n" : "", name, c->help);
    }
    buf_append_str(out, tail);
}

int command_help(struct client *client, const struct args *args)
{
    (void)client;
    const char *noun = args_at(args, 0), *verb = args_at(args, 1);
    buf_auto text = BUF_INIT;
    bool found = false;
    for (size_t i = 0; i < commands_n && noun != NULL; i++) {
        const struct command *c = &commands[i];
        if (strcmp(c->noun, noun) != 0 ||
            (verb != NULL && (c->verb == NULL || strcmp(c->verb, verb) != 0)))
            continue;
        append_usage(&text, c, "", STDOUT_FILENO);
        buf_printf(&text, "    %s\n", c->help);
        found = true;
    }
    if (noun != NULL && !found) {
        term_say("there is no command '%s%s%s'; `c9ctl help` lists them", noun,
                 verb != NULL ? " " : "", verb != NULL ? verb : "");
        return EXIT_USAGE;
    }
    if (noun == NULL)
        help_all(&text);
    return client_print(&text);
}

/* ---- completion ---- */

static void append_options(struct buf *out, const char *usage)
{
    struct usage_word word;
    while (usage_next(&usage, &word))
        if (word.option)
            buf_printf(out, " %.*s", (int)word.len, word.s);
}

static bool is_file(const struct usage_word *value)
{
    return strncmp(value->s, "FILE", 4) == 0 || strncmp(value->s, "DIR", 3) == 0;
}

static bool takes_files(const char *usage)
{
    struct usage_word word = {0};
    bool after_option = false;
    while (usage_next(&usage, &word)) {
        if (!word.option && !after_option && is_file(&word))
            return true;
        after_option = word.option && word.value;
    }
    return false;
}

/* The options of a usage line whose value is a file, each once, as a pattern: "-f | --input". */
static void append_file_options(struct buf *out, const char *usage)
{
    struct usage_word word, option = {0};
    while (usage_next(&usage, &word)) {
        if (option.value && is_file(&word)) {
            autofree char *pattern = xasprintf(" %.*s |", (int)option.len, option.s);
            if (strstr(out->data, pattern) == NULL)
                buf_append_str(out, pattern);
        }
        option = word.option ? word : (struct usage_word){0};
    }
}

static void append_nouns(struct buf *out)
{
    const char *noun = "";
    for (size_t i = 0; i < commands_n; i++) {
        if (strcmp(noun, commands[i].noun) == 0)
            continue;
        bool again = false; /* `version` is a noun of its own and has verbs */
        for (size_t k = 0; k < i; k++)
            again = again || strcmp(commands[k].noun, commands[i].noun) == 0;
        noun = commands[i].noun;
        if (!again)
            buf_printf(out, "%s%s", i > 0 ? " " : "", noun);
    }
}

static void append_verbs(struct buf *out)
{
    for (size_t i = 0; i < commands_n; i++) {
        if (commands[i].verb == NULL ||
            (i > 0 && strcmp(commands[i - 1].noun, commands[i].noun) == 0))
            continue;
        buf_printf(out, "        2:%s) words=\"", commands[i].noun);
        for (size_t k = i; k < commands_n && strcmp(commands[k].noun, commands[i].noun) == 0; k++)
            if (commands[k].verb != NULL)
                buf_printf(out, "%s%s", k > i ? " " : "", commands[k].verb);
        buf_append_str(out, "\" ;;\n");
    }
}

/* What behind a command may be completed: its options, and files where it takes some. */
static void append_rows(struct buf *out)
{
    for (size_t i = 0; i < commands_n; i++) {
        const struct command *c = &commands[i];
        buf_printf(out, "        \"%s%s%s\"%s) words=\"", c->noun, c->verb != NULL ? " " : "",
                   c->verb != NULL ? c->verb : " ", c->verb != NULL ? "" : "*");
        append_options(out, c->usage);
        buf_printf(out, "\"%s ;;\n", takes_files(c->usage) ? " files=1" : "");
    }
}

static const char script_begin[] =
    "# bash completion of c9ctl, made by `c9ctl completion`.\n"
    "_c9ctl() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local noun=${COMP_WORDS[1]:-} verb=${COMP_WORDS[2]:-}\n"
    "    local words=\"\" files=\"\" common=\"";
static const char script_words[] = "\"\n"
                                   "    case $prev in\n"
                                   "       ";
static const char script_files[] = ")\n"
                                   "            mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
                                   "            return ;;\n"
                                   "    esac\n"
                                   "    case $COMP_CWORD:$noun in\n";
static const char script_rows[] =
    "    esac\n"
    "    if [[ -n $words && $cur != -* ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
    "        return\n"
    "    fi\n"
    "    case \"$noun $verb\" in\n";
static const char script_end[] =
    "    esac\n"
    "    if [[ $cur == -* ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$words$common\" -- \"$cur\")\n"
    "    elif [[ -n $files ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
    "    fi\n"
    "}\n"
    "complete -o filenames -F _c9ctl c9ctl\n";

int command_completion(struct client *client, const struct args *args)
{
    (void)client, (void)args;
    buf_auto out = BUF_INIT;
    buf_append_str(&out, script_begin);
    append_options(&out, commands_more);
    buf_append_str(&out, script_words);
    buf_auto files = BUF_INIT;
    buf_append_str(&files, "");
    append_file_options(&files, commands_more);
    for (size_t i = 0; i < commands_n; i++)
        append_file_options(&files, commands[i].usage);
    buf_append(&out, files.data, files.len - strlen(" |"));
    buf_append_str(&out, script_files);
    buf_append_str(&out, "        1:*) words=\"");
    append_nouns(&out);
    buf_append_str(&out, "\" ;;\n        2:help) words=\"");
    append_nouns(&out);
    buf_append_str(&out, "\" ;;\n");
    append_verbs(&out);
    buf_append_str(&out, script_rows);
    append_rows(&out);
    buf_append_str(&out, script_end);
    return client_print(&out);
}
