/* c9d: one program, one row a command. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "supervisor/daemon.h"

/* libmicrohttpd sets up GnuTLS when it is loaded, in case that somebody serves TLS with it; c9d
 * does not, and spares itself the 1.2 MB. GnuTLS's own constructor asks the first of these
 * (GNUTLS_SKIP_GLOBAL_INIT in its header); the second takes libmicrohttpd's call, and lets through
 * those of others, who want it for themselves. */
__attribute__((visibility("default"))) int _gnutls_global_init_skip(void);
int _gnutls_global_init_skip(void)
{
    return 1;
}

__attribute__((visibility("default"))) int gnutls_global_init(void);
int gnutls_global_init(void)
{
    static bool called;
    int (*real)(void) = called ? (int (*)(void))dlsym(RTLD_NEXT, "gnutls_global_init") : NULL;
    called = true;
    return real != NULL ? real() : 0;
}

static int command_version(int argc, char **argv);
static int command_help(int argc, char **argv);

static const struct command commands[] = {
    {"run", "[-c FILE]", "Run the daemon in the foreground.", command_run},
    {"init", "[-c FILE] [--organization NAME] [--user NAME] [--again]",
     "Make the first organization, its owner and an admin token.", command_init},
    {"check-config", "[-c FILE] [--defaults]",
     "Check the configuration; with --defaults print every key.", command_check_config},
    {"check-sandbox", "[-c FILE] [--json]", "Show each layer of the sandbox on this machine.",
     command_check_sandbox},
    {"audit", "[-c FILE] [--json] verify",
     "Verify the audit log's chain of hashes, without a running daemon.", command_audit},
    {"backup", "[-c FILE] COPY",
     "Copy the database to a new file, also while a daemon works with it.", command_backup},
    {"plugins", "[-c FILE] [--json]", "List the plugins and their settings.", command_plugins},
    {"skill-test", "[-c FILE] [--json] SKILL.lua",
     "Run a skill's own examples in the real sandbox.", command_skill_test},
    {"replay", "[-c FILE] [--json] EXECUTION.json",
     "Run an exported execution again from its journal, and compare.", command_replay},
    {"version", "", "Print the version.", command_version},
    {"help", "", "Print this.", command_help},
};

static int command_version(int argc, char **argv)
{
    (void)argc, (void)argv;
    puts("c9d " C9_VERSION);
    return 0;
}

static int command_help(int argc, char **argv)
{
    (void)argc, (void)argv;
    puts("c9d runs AI agents on your own machine.\n\nUsage: c9d COMMAND\n");
    for (size_t i = 0; i < countof(commands); i++)
        printf("  %-14s %s\n  %-14s   c9d %s %s\n", commands[i].name, commands[i].help, "",
               commands[i].name, commands[i].usage);
    puts("\nWithout -c, /etc/c9d/c9d.conf is read if it is there. Environment variables "
         "C9D_SECTION_KEY win over files.");
    return 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    const char *names[countof(commands)];
    for (size_t i = 0; i < countof(commands); i++) {
        names[i] = commands[i].name;
        if (strcmp(name, names[i]) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    const char *near = nearest_name(name, names, countof(commands));
    fprintf(stderr, "c9d: there is no command '%s'%s%s%s; see c9d help\n", name,
            near != NULL ? ": did you mean '" : "", near != NULL ? near : "",
            near != NULL ? "'?" : "");
    return 2;
}
