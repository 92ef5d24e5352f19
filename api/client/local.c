/* What runs here in the daemon's own binary, which has the sandbox, without a server. */
#include "client/local.h"

#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/term.h"

/* Beside c9ctl, where both were installed or built. NULL: not there. */
static char *find_beside(void)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0)
        return NULL;
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    static const char *const places[] = {"", "/../sbin"};
    for (size_t i = 0; i < countof(places); i++) {
        char *path = xasprintf("%s%s/c9d", self, places[i]);
        if (access(path, X_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

static char *find_in(const char *folders)
{
    for (const char *p = folders; p != NULL && *p != '\0';) {
        size_t n = strcspn(p, ":");
        char *path = xasprintf("%.*s/c9d", (int)n, p);
        if (n > 0 && access(path, X_OK) == 0)
            return path;
        free(path);
        p += n + (p[n] == ':');
    }
    return NULL;
}

static char *find_daemon(void)
{
    char *path = find_beside();
    if (path == NULL)
        path = find_in(getenv("PATH"));
    return path != NULL ? path : find_in("/usr/local/sbin:/usr/sbin");
}

int local_run(const struct client *client, const char *command, const char *file)
{
    autofree char *daemon = find_daemon();
    if (daemon == NULL) {
        term_say("it runs in c9d's sandbox, and no c9d is beside c9ctl, in PATH or in /usr/sbin: "
                 "install c9d here");
        return EXIT_FAILED;
    }
    /* A name that looks like an option is still a file. */
    autofree char *plain = file[0] == '-' ? xasprintf("./%s", file) : xstrdup(file);
    char *argv[] = {(char *)"c9d", (char *)command, plain, NULL, NULL};
    if (client->json) {
        argv[2] = (char *)"--json";
        argv[3] = plain;
    }
    pid_t child;
    int status, failed = posix_spawn(&child, daemon, NULL, NULL, argv, environ);
    if (failed != 0) {
        term_say("%s: %s", daemon, strerror(failed));
        return EXIT_FAILED;
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return EXIT_FAILED;
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    term_say("%s: c9d was ended by %s", file, strsignal(WTERMSIG(status)));
    return EXIT_FAILED;
}
