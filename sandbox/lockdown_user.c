/* The user namespace and what its ids are outside.
 *
 * Root maps a range that nobody uses, so that nothing below is root or anybody's uid, and each
 * executor has a uid of its own: its pid. Inside a container, where that range is not mapped, all
 * are "nobody". An ordinary user can map only itself. */
#include "sandbox/lockdown.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    UID_BASE = 0x70000000, /* systemd.io/UIDS-GIDS: 1879048192 and up are unused */
    UID_COUNT = 1 << 22,   /* PID_MAX_LIMIT of 64-bit Linux */
    UID_NOBODY = 65534,
};

static int file_write(const char *path, const char *text)
{
    autofd int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t len = strlen(text);
    return write(fd, text, len) == (ssize_t)len ? 0 : -1;
}

/* Maps ids 0 … count-1 of a process' namespace. */
static int ids_map(pid_t pid, unsigned uid, unsigned gid, unsigned count)
{
    static const char *const files[] = {"setgroups", "gid_map", "uid_map"};
    char texts[countof(files)][64] = {"deny"};
    snprintf(texts[1], sizeof(texts[1]), "0 %u %u", gid, count);
    snprintf(texts[2], sizeof(texts[2]), "0 %u %u", uid, count);
    for (size_t i = 0; i < countof(files); i++) {
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, files[i]);
        if (file_write(path, texts[i]) < 0)
            return -1;
    }
    return 0;
}

enum helper_answer { HELPER_RANGE, HELPER_NOBODY, HELPER_FAILED };

/* Only a process with privileges in the outer namespace may map ids that are not its own: so one
 * that is forked before the namespace is made. It starts to work when `go` closes. */
static _Noreturn void helper_main(pid_t parent, int go)
{
    char byte;
    if (read(go, &byte, 1) != 1)
        _exit(HELPER_FAILED);
    if (ids_map(parent, UID_BASE, UID_BASE, UID_COUNT) == 0)
        _exit(HELPER_RANGE);
    _exit(ids_map(parent, UID_NOBODY, UID_NOBODY, 1) == 0 ? HELPER_NOBODY : HELPER_FAILED);
}

static int namespace_enter_as_root(struct lockdown *lockdown)
{
    int go[2];
    pid_t parent = getpid();
    if (setgroups(0, NULL) < 0 || pipe2(go, O_CLOEXEC) < 0)
        return -1;
    autofd int begin = go[1], wait = go[0];
    pid_t helper = fork();
    if (helper < 0)
        return -1;
    if (helper == 0) {
        close(begin);
        helper_main(parent, wait);
    }
    int entered = unshare(CLONE_NEWUSER), failure = errno, status = -1;
    if (entered == 0 && write(begin, "", 1) != 1)
        failure = errno;
    close(move_fd(&begin));
    if (waitpid(helper, &status, 0) != helper || entered < 0) {
        errno = failure;
        return -1;
    }
    lockdown->user = true;
    int answer = WIFEXITED(status) ? WEXITSTATUS(status) : HELPER_FAILED;
    lockdown->uid_range = answer == HELPER_RANGE;
    if (answer == HELPER_RANGE)
        snprintf(lockdown->detail, sizeof(lockdown->detail), "a uid each, from %d", UID_BASE);
    else
        snprintf(lockdown->detail, sizeof(lockdown->detail), "one uid: %d", UID_NOBODY);
    if (answer == HELPER_FAILED && ids_map(getpid(), 0, 0, 1) < 0)
        return -1;
    if (answer == HELPER_FAILED)
        snprintf(lockdown->detail, sizeof(lockdown->detail), "one uid: 0, of this container");
    return setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0 ? -1 : 0;
}

int lockdown_user_enter(struct lockdown *lockdown)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (uid == 0)
        return namespace_enter_as_root(lockdown);
    if (unshare(CLONE_NEWUSER) < 0)
        return -1;
    lockdown->user = true;
    snprintf(lockdown->detail, sizeof(lockdown->detail), "one uid: %u, as started", uid);
    return ids_map(getpid(), uid, gid, 1);
}
