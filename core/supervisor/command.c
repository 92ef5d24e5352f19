/* What the commands share, and the small ones. */
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/http.h"
#include "base/json.h"
#include "base/log.h"
#include "service/token.h"
#include "supervisor/daemon.h"
#include "supervisor/guard.h"
#include "supervisor/secrets.h"
#include "supervisor/trim.h"

#define CONFIG_FILE C9_SYSCONFDIR "/c9d/c9d.conf"

int command_parse(int argc, char **argv, const char *usage, bool operand, struct command_options *o)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {"again", no_argument, NULL, 'a'},
        {"defaults", no_argument, NULL, 'd'},
        {"organization", required_argument, NULL, 'o'},
        {"user", required_argument, NULL, 'u'},
        {NULL, 0, NULL, 0},
    };
    *o = (struct command_options){.organization = "default"};
    int c;
    bool wrong = false;
    while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        switch (c) {
        case 'c':
            o->config = optarg;
            break;
        case 'j':
            o->json = true;
            break;
        case 'a':
            o->again = true;
            break;
        case 'd':
            o->defaults = true;
            break;
        case 'o':
            o->organization = optarg;
            break;
        case 'u':
            o->user = optarg;
            break;
        default:
            wrong = true;
        }
    }
    if (operand && optind < argc)
        o->operand = argv[optind++];
    if (!wrong && optind == argc && (!operand || o->operand != NULL)) {
        if (o->config == NULL && access(CONFIG_FILE, R_OK) == 0)
            o->config = CONFIG_FILE;
        return 0;
    }
    fprintf(stderr, "usage: c9d %s %s\n", argv[0], usage);
    return -1;
}

int command_fail(const struct error *err)
{
    fprintf(stderr, "c9d: %s\n", err->message);
    size_t i;
    json_t *problem;
    json_array_foreach (json_object_get(err->details, "problems"), i, problem)
        if (i > 0)
            fprintf(stderr, "c9d: %s:%ld: %s\n", jx_str(problem, "file", "?"),
                    (long)jx_int(problem, "line", 0), jx_str(problem, "message", "?"));
    if (err->code != E_STORAGE_FAILED) /* whose advice is to read what stands here */
        fprintf(stderr, "     %s\n", error_row(err->code)->action);
    return 1;
}

/* ---- run ------------------------------------------------------------------------------------- */

static sigset_t handled_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return set;
}

/* Until someone ends us; every other thread has all signals blocked. */
static void serve(struct daemon *d, const char *config)
{
    sigset_t set = handled_signals();
    for (;;) {
        int sig = sigwaitinfo(&set, NULL);
        if (sig == SIGHUP) {
            daemon_reload(d, config);
        } else if (sig > 0) {
            log_info("daemon.stopping", "%s: draining; once more stops at once", strsignal(sig));
            /* Whoever asks twice does not want to wait; what runs goes on after the next start. */
            signal(SIGTERM, SIG_DFL);
            signal(SIGINT, SIG_DFL);
            pthread_sigmask(SIG_UNBLOCK, &set, NULL);
            return;
        }
    }
}

static int open_all(struct daemon *d, const char *config, struct error *err)
{
    return daemon_configure(d, config, err) < 0 || daemon_open_sandbox(d, err) < 0 ||
                   daemon_open_storage(d, err) < 0 || daemon_open_models(d, err) < 0 ||
                   daemon_open_engine(d, err) < 0 || daemon_check_config(d, err) < 0 ||
                   daemon_open_http(d, err) < 0
               ? -1
               : 0;
}

int command_run(int argc, char **argv)
{
    struct command_options o;
    error_auto err = ERROR_INIT;
    struct daemon d = {0};
    if (command_parse(argc, argv, "[-c FILE]", false, &o) < 0)
        return 2;
    sigset_t set = handled_signals();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (open_all(&d, o.config, &err) < 0) {
        command_fail(&err);
        daemon_close(&d);
        return 1;
    }
    trim_after_start();
    for (size_t i = 0; http_server_address(d.http, i) != NULL; i++)
        log_info("daemon.ready", "c9d %s listens on %s", C9_VERSION,
                 http_server_address(d.http, i));
    serve(&d, o.config);
    daemon_close(&d);
    return 0;
}

/* ---- init ------------------------------------------------------------------------------------ */

int command_init(int argc, char **argv)
{
    struct command_options o;
    error_auto err = ERROR_INIT;
    struct daemon d = {0};
    if (command_parse(argc, argv, "[-c FILE] [--organization NAME] [--user NAME] [--again]", false,
                      &o) < 0)
        return 2;
    struct passwd *me = getpwuid(getuid());
    char token[TOKEN_SIZE];
    int failed = daemon_configure(&d, o.config, &err) < 0 || daemon_open_storage(&d, &err) < 0 ||
                 token_init(d.storage, o.organization,
                            o.user != NULL ? o.user
                            : me != NULL   ? me->pw_name
                                           : "owner",
                            o.again, token, &err) < 0;
    if (failed) {
        command_fail(&err);
    } else {
        fprintf(stderr, "Organization '%s' has an admin token; it is %s\n", o.organization,
                isatty(STDOUT_FILENO) ? "shown this once:" : "given this once, on standard output");
        puts(token);
    }
    daemon_close(&d);
    return failed ? 1 : 0;
}

/* ---- check-config ---------------------------------------------------------------------------- */

/* What the engine would say of [outbound] and [secret …] when it starts. */
static int outbound_check(const struct config *config, struct error *err)
{
    struct guard *guard = guard_new(config, err);
    struct secrets *secrets = guard != NULL ? secrets_new(config, err) : NULL;
    guard_free(guard);
    secrets_free(secrets);
    return secrets != NULL ? 0 : -1;
}

static int zygote_check(struct config *config, struct error *err)
{
    const char *path = config_string(config, "sandbox", NULL, "zygote");
    if (access(path, X_OK) == 0)
        return 0;
    autofree char *why = xasprintf("[sandbox] zygote: cannot run %s: %s", path, strerror(errno));
    return config_problem(config, "sandbox", NULL, "zygote", why, err);
}

/* What can go on after a mistake does, so that one run shows them all. */
static int config_check_all(struct daemon *d, const char *path, struct error *err)
{
    int configured = daemon_configure(d, path, err);
    if (d->config == NULL)
        return -1;
    error_auto why = ERROR_INIT;
    if (daemon_declare_plugins(d, &why) < 0) /* whose keys cannot be told from unknown ones */
        return configured < 0 ? -1 : error_move(err, &why);
    int zygote = zygote_check(d->config, err);
    return daemon_check_config(d, err) < 0 || zygote < 0 ? -1 : outbound_check(d->config, err);
}

int command_check_config(int argc, char **argv)
{
    struct command_options o;
    error_auto err = ERROR_INIT;
    struct daemon d = {0};
    if (command_parse(argc, argv, "[-c FILE] [--defaults]", false, &o) < 0)
        return 2;
    int failed = config_check_all(&d, o.config, &err) < 0;
    if (failed)
        command_fail(&err);
    else if (o.defaults)
        config_print(d.config, stdout);
    else
        printf("%s: fine\n", o.config != NULL ? o.config : "defaults and environment");
    daemon_close(&d);
    return failed ? 1 : 0;
}

/* ---- plugins --------------------------------------------------------------------------------- */

static const char *const kinds[] = {
    [C9D_KIND_STORAGE] = "storage", [C9D_KIND_QUEUE] = "queue", [C9D_KIND_MODEL] = "model"};
static const char *const types[] = {
    [C9D_TYPE_STRING] = "string",     [C9D_TYPE_INT] = "integer", [C9D_TYPE_BOOL] = "boolean",
    [C9D_TYPE_DURATION] = "duration", [C9D_TYPE_SIZE] = "size",   [C9D_TYPE_SECRET] = "secret",
};

static void plugin_collect(void *arg, const char *file, const struct c9d_plugin *p,
                           const struct error *why_not)
{
    json_t *all = arg;
    if (p == NULL) {
        json_array_append_new(all, json_pack("{ssss}", "file", file, "error", why_not->message));
        return;
    }
    json_t *settings = json_array();
    for (const struct c9d_setting *s = p->settings; s != NULL && s->name != NULL; s++)
        json_array_append_new(settings, json_pack("{s:s, s:s, s:s?, s:s, s:b}", "name", s->name,
                                                  "type", types[s->type], "default", s->otherwise,
                                                  "help", s->help, "required", s->required));
    json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:o}", "file", file,
                                         "name", p->name, "kind", kinds[p->kind], "version",
                                         p->version, "description", p->description, "abi",
                                         (int)p->abi, "settings", settings));
}

static void plugin_print(const json_t *p)
{
    if (json_object_get(p, "error") != NULL) {
        printf("%s\n    cannot be used: %s\n", jx_str(p, "file", ""), jx_str(p, "error", ""));
        return;
    }
    printf("%-18s %-8s %s\n", jx_str(p, "name", ""), jx_str(p, "kind", ""),
           jx_str(p, "description", ""));
    size_t i;
    json_t *s;
    json_array_foreach (json_object_get(p, "settings"), i, s)
        printf("    %-20s %-9s %s%s%s%s\n", jx_str(s, "name", ""), jx_str(s, "type", ""),
               jx_str(s, "help", ""), jx_str(s, "default", NULL) != NULL ? " (default " : "",
               jx_str(s, "default", ""), jx_str(s, "default", NULL) != NULL ? ")" : "");
}

int command_plugins(int argc, char **argv)
{
    struct command_options o;
    error_auto err = ERROR_INIT;
    struct daemon d = {0};
    if (command_parse(argc, argv, "[-c FILE] [--json]", false, &o) < 0)
        return 2;
    if (daemon_configure(&d, o.config, &err) < 0) {
        daemon_close(&d);
        return command_fail(&err);
    }
    jx_auto *all = json_array();
    d.host = host_new(config_string(d.config, "daemon", NULL, "plugins"),
                      config_string(d.config, "daemon", NULL, "state"));
    host_list(d.host, plugin_collect, all);
    autofree char *text = jx_encode(all, NULL);
    if (o.json)
        puts(text);
    size_t i;
    json_t *plugin;
    json_array_foreach (all, i, plugin)
        if (!o.json)
            plugin_print(plugin);
    daemon_close(&d);
    return 0;
}
