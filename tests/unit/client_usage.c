/* Usage lines as grammars. */
#include "client/usage.h"

#include "client/command.h"
#include "tap.h"

static const char more[] = "[--json] [--url URL]";

#define PARSE(usage, args, err, ...)                                                               \
    ({                                                                                             \
        const char *argv_[] = {__VA_ARGS__};                                                       \
        usage_parse((usage), more, (int)countof(argv_), (char **)argv_, (args), (err));            \
    })

static void test_arguments(void)
{
    error_auto err = ERROR_INIT;
    struct args args;
    is_int(PARSE("NAME [FILE…]", &args, &err, "a", "b", "c"), 0, "a repeatable argument repeats");
    is_int(args.n, 3, "all are there");
    is_str(args_at(&args, 2), "c", "in their order");
    ok(args_at(&args, 3) == NULL, "and no more");
    is_int(PARSE("NAME [FILE]", &args, &err, "a", "b", "c"), -1, "one too many is refused");
    is_str(err.message, "'c' is one argument too many", "and named");
    is_int(PARSE("NAME FILE", &args, &err, "a"), -1, "a missing one is refused");
    is_str(err.message, "FILE is missing", "and named");
    is_int(PARSE("[NAME]", &args, &err, "--", "--json"), 0, "behind -- all are arguments");
    is_str(args_at(&args, 0), "--json", "also what looks like an option");
    is_int(PARSE("FILE", &args, &err, "-"), 0, "a dash is an argument");
}

static void test_options(void)
{
    error_auto err = ERROR_INIT;
    struct args args;
    const char *usage = "AGENT -f FILE [--input FILE|-] [--input-json JSON] [--set A=B…] [--yes]";
    is_int(PARSE(usage, &args, &err, "a", "-f", "x", "--yes", "--input=y=z", "--url", "u"), 0,
           "options of the command and of all commands");
    is_str(args_get(&args, "-f"), "x", "a value behind a blank");
    is_str(args_get(&args, "--input"), "y=z", "a value behind =");
    is_str(args_get(&args, "--url"), "u", "an option that all take");
    is_str(args_get(&args, "--yes"), "", "a flag");
    ok(!args_has(&args, "--json") && !args_has(&args, "--set"), "what was not given is not there");
    is_int(PARSE(usage, &args, &err, "-f", "x", "a", "--input", "-"), 0, "a dash as a value");
    is_str(args_get(&args, "--input"), "-", "is one");
    is_int(PARSE(usage, &args, &err, "a", "-f", "x", "--set", "1=2", "--set=3=4"), 0, "repeated");
    is_str(args_nth(&args, "--set", 1), "3=4", "the second");
    ok(args_nth(&args, "--set", 2) == NULL, "no third");
}

static void test_refusals(void)
{
    struct args args;
    const char *usage = "[AGENT] -f FILE [--status STATUS] [--yes]";
    static const struct {
        const char *argv[4];
        const char *message;
    } rows[] = {
        {{"a", NULL}, "-f is missing"},
        {{"-f", NULL}, "-f needs a value"},
        {{"-f", "x", "--yes=1", NULL}, "--yes takes no value"},
        {{"-f", "x", "-f=y", NULL}, "-f was given twice"},
        {{"-f", "x", "--statsu=1", NULL},
         "there is no option --statsu here; did you mean --status?"},
        {{"-f", "x", "--jsno", NULL}, "there is no option --jsno here; did you mean --json?"},
        {{"-f", "x", "--stat=1", NULL}, "there is no option --stat here; did you mean --status?"},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        error_auto err = ERROR_INIT;
        int argc = 0;
        while (argc < 4 && rows[i].argv[argc] != NULL)
            argc++;
        const char *argv[4];
        memcpy(argv, rows[i].argv, sizeof(argv));
        is_int(usage_parse(usage, more, argc, (char **)argv, &args, &err), -1, "refused");
        is_str(err.message, rows[i].message, "with the reason, row %zu", i);
    }
    error_auto err = ERROR_INIT;
    char *many[ARGS_OPTIONS_MAX + 1];
    char set[] = "--set=a";
    for (size_t i = 0; i < countof(many); i++)
        many[i] = set;
    is_int(usage_parse("[--set A…]", more, (int)countof(many), many, &args, &err), -1,
           "options are bounded");
}

static void test_alternatives(void)
{
    static const char usage[] = "NAME [--state on|off] [--file FILE|-] [--now]";
    char *argv[] = {(char[]){"--state"}, (char[]){"off"}, (char[]){"--now"}, (char[]){"x"},
                    (char[]){"--file=-"}};
    struct args args;
    error_auto err = ERROR_INIT;
    is_int(usage_parse(usage, "", countof(argv), argv, &args, &err), 0, "values may be choices");
    is_str(args_get(&args, "--state"), "off", "one of which is the value");
    is_str(args_get(&args, "--file"), "-", "a dash, too");
    is_str(args_at(&args, 0), "x", "none of them is an argument of its own");
    is_int((int64_t)args.n, 1, "and it is the only one");
}

static void test_table(void)
{
    for (size_t i = 0; i < commands_n; i++) {
        const struct command *c = &commands[i];
        const char *p = c->usage;
        struct usage_word word;
        int depth = 0;
        for (const char *q = p; *q != '\0'; q++)
            depth += *q == '[' ? 1 : *q == ']' ? -1 : 0;
        while (usage_next(&p, &word))
            if (word.option && word.len > 2)
                depth += word.s[1] != '-';
        ok(depth == 0 && (c->run != NULL) != (c->route != NULL) && c->help[0] != '\0',
           "the row of `%s %s` is whole", c->noun, c->verb != NULL ? c->verb : "");
    }
}

int main(void)
{
    test_arguments();
    test_options();
    test_refusals();
    test_alternatives();
    test_table();
    return done_testing();
}
