/* c9d's own cgroup, the zygote's and the executors': each process is where it has to be, leaves are
 * used again, what fails says so, and nothing stays behind. In a real cgroup of version 2, which
 * root delegates here as systemd would. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "supervisor/cgroup.h"
#include "tap.h"

static char folder[4096]; /* the one that is delegated */

static bool find_folder(void)
{
    autofile FILE *f = fopen("/proc/self/mountinfo", "re");
    char line[4096], point[2048];
    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (strstr(line, " - cgroup2 ") != NULL &&
            sscanf(line, "%*s %*s %*s / %2047s", point) == 1) {
            snprintf(folder, sizeof(folder), "%s/c9d-unit-%d", point, (int)getpid());
            return mkdir(folder, 0755) == 0;
        }
    return false;
}

static void file_read(const char *path, char *out, size_t size)
{
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);
    out[n > 0 ? n : 0] = '\0';
}

static void file_write(const char *path, const char *text)
{
    autofd int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        note("%s: %s", path, strerror(errno));
}

/* The cgroup of a process, below the folder: "" is the folder itself. */
static const char *place_of(pid_t pid)
{
    static char text[8192];
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
    file_read(path, text, sizeof(text));
    const char *name = strrchr(folder, '/'), *at = strstr(text, "0::/");
    if (at != NULL)
        at = strstr(at, name);
    if (at == NULL)
        return "elsewhere";
    char *end = strchr(at, '\n');
    if (end != NULL)
        *end = '\0';
    return at + strlen(name);
}

static bool is_there(const char *below)
{
    autofree char *path = xasprintf("%s%s", folder, below);
    return access(path, F_OK) == 0;
}

static pid_t sleeper(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void leaves_test(struct cgroup *c)
{
    struct cgroup_leaf *a = cgroup_leaf_take(c), *b = cgroup_leaf_take(c);
    ok(a != NULL && b != NULL && a != b && is_there("/executors.1/0") && is_there("/executors.1/1"),
       "each executor has a leaf of its own");
    autofd int fd = cgroup_leaf_open(c, a);
    struct stat opened, made;
    autofree char *path = xasprintf("%s/executors.1/0", folder);
    ok(fstat(fd, &opened) == 0 && stat(path, &made) == 0 && opened.st_ino == made.st_ino,
       "whose descriptor the zygote forks into");
    char text[64], number[32];
    autofree char *procs = xasprintf("%s/cgroup.procs", path);
    pid_t executor = sleeper();
    snprintf(number, sizeof(number), "%d", (int)executor);
    file_write(procs, number);
    is_str(place_of(executor), "/executors.1/0", "a process is in it");
    autofree char *pids = xasprintf("%s/pids.max", path),
                  *memory = xasprintf("%s/memory.max", path);
    file_read(pids, text, sizeof(text));
    if (strstr(cgroup_controllers(c), "pids") != NULL)
        is_str(text, "1\n", "and can fork none");
    else
        skip("no controller", "pids.max");
    cgroup_leaf_limit(c, a, 64u << 20);
    file_read(memory, text, sizeof(text));
    if (strstr(cgroup_controllers(c), "memory") != NULL)
        is_str(text, "67108864\n", "its memory is bounded");
    else
        is_str(text, "", "without the controller nothing is bounded, and nothing is wrong");
    end(executor);
    cgroup_leaf_give(c, a);
    ok(cgroup_leaf_take(c) == a, "a leaf is used again");
    struct cgroup_leaf *third = cgroup_leaf_take(c);
    ok(third != a && third != b && is_there("/executors.1/2"), "and by one at a time");
    autofree char *gone = xasprintf("%s/executors.1/1", folder);
    rmdir(gone);
    errno = 0;
    ok(cgroup_leaf_open(c, b) < 0 && errno == ENOENT, "one that somebody removed is not opened");
    cgroup_leaf_give(c, a);
    cgroup_leaf_give(c, b);
    cgroup_leaf_give(c, third);
}

static void zygote_test(struct cgroup *c)
{
    pid_t zygote = sleeper(), inner = sleeper();
    is_int(cgroup_zygote_enter(c, zygote), 0, "a zygote enters");
    is_str(place_of(zygote), "/executors.1", "what will be the root that it sees");
    autofree char *procs = xasprintf("%s/executors.1/cgroup.procs", folder);
    char number[32];
    snprintf(number, sizeof(number), "%d", (int)inner);
    file_write(procs, number);
    is_int(cgroup_zygote_settle(c, zygote), 0, "when it is up, it makes room");
    is_str(place_of(zygote), "/executors.1/zygote", "it is one down");
    is_str(place_of(inner), "/executors.1/zygote", "with whatever it has forked");
    leaves_test(c);
    end(zygote);
    end(inner);
    cgroup_zygote_gone(c);
    ok(!is_there("/executors.1"), "when it is gone nothing is left of it");
    cgroup_zygote_gone(c);
    ok(is_there("/supervisor"), "once is enough");
}

static void failures_test(struct cgroup *c)
{
    errno = 0;
    ok(cgroup_zygote_enter(c, 999999999) < 0 && errno == ESRCH,
       "a zygote that is gone enters nothing");
    pid_t zygote = sleeper();
    is_int(cgroup_zygote_enter(c, zygote), 0, "the next one does");
    is_str(place_of(zygote), "/executors.3", "a folder of its own");
    is_int(cgroup_zygote_settle(c, zygote), 0, "and settles");
    ok(!is_there("/executors.2"), "the last one's is gone");
    end(zygote);
    autofree char *inner = xasprintf("%s/executors.3/zygote", folder),
                  *outer = xasprintf("%s/executors.3", folder);
    for (int i = 0; i < 1000 && rmdir(inner) < 0; i++)
        usleep(1000);
    rmdir(outer);
    errno = 0;
    ok(cgroup_leaf_take(c) == NULL && errno == ENOENT,
       "no leaf is to be had where there is no folder");
    is_int(cgroup_zygote_settle(c, zygote), -1, "nor can anybody settle there");
}

static int in_the_folder(void)
{
    char number[32];
    autofree char *procs = xasprintf("%s/cgroup.procs", folder), *why = NULL;
    snprintf(number, sizeof(number), "%d", (int)getpid());
    file_write(procs, number);
    is_str(place_of(getpid()), "", "c9d is started in a cgroup");
    ok(cgroup_open(&why) == NULL && strstr(why, "not delegated") != NULL,
       "which is left alone when it is not delegated");
    free(move_ptr(&why));
    ok(!is_there("/supervisor"), "as it is");
    if (setxattr(folder, "user.delegate", "1", 1, 0) < 0) {
        skip("no attributes here", "the rest");
        return done_testing();
    }
    struct cgroup *c = cgroup_open(&why);
    if (!ok(c != NULL, "one that is delegated is entered"))
        return done_testing();
    is_str(place_of(getpid()), "/supervisor", "c9d is one down");
    note("%s", cgroup_controllers(c));
    zygote_test(c);
    failures_test(c);
    cgroup_close(c);
    is_str(place_of(getpid()), "", "at the end c9d is where it was");
    ok(!is_there("/supervisor") && !is_there("/executors.3"), "and the folder as it was");
    cgroup_close(NULL);
    return done_testing();
}

int main(void)
{
    if (geteuid() != 0 || !find_folder()) {
        printf("1..0 # SKIP root, and a cgroup of version 2 to write to, are needed\n");
        return 0;
    }
    int status = 1;
    pid_t pid = fork();
    if (pid == 0)
        exit(in_the_folder());
    waitpid(pid, &status, 0);
    for (int i = 0; i < 1000 && rmdir(folder) < 0; i++)
        usleep(1000);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
