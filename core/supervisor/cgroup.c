#include "supervisor/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"

struct cgroup_leaf {
    unsigned number;
    uint64_t memory; /* as it is set; 0: not yet */
    struct cgroup_leaf *next;
};

struct cgroup {
    char *path;      /* of c9d's own, where it was started */
    char *executors; /* of the present zygote; NULL: none */
    char controllers[64];
    unsigned zygotes, leaves;
    uid_t zygote_uid;
    struct cgroup_leaf *spare;
};

/* What executors are counted and bounded by, where it is there. */
static const char *const wanted[] = {"memory", "pids"};

/* ---- files ----------------------------------------------------------------------------------- */

static int file_put(const char *folder, const char *name, const char *text)
{
    autofree char *path = xasprintf("%s/%s", folder, name);
    autofd int fd = open(path, O_WRONLY | O_CLOEXEC);
    size_t len = strlen(text);
    return fd >= 0 && write(fd, text, len) == (ssize_t)len ? 0 : -1;
}

static int file_get(const char *folder, const char *name, char *out, size_t size)
{
    autofree char *path = xasprintf("%s/%s", folder, name);
    autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);
    out[n > 0 ? n : 0] = '\0';
    return n < 0 ? -1 : 0;
}

static int process_put(const char *folder, pid_t pid)
{
    char text[32];
    snprintf(text, sizeof(text), "%d", (int)pid);
    return file_put(folder, "cgroup.procs", text);
}

static int folder_make(const char *path)
{
    return mkdir(path, 0755) < 0 && errno != EEXIST ? -1 : 0;
}

/* ---- where c9d is ---------------------------------------------------------------------------- */

/* Where version 2 is mounted; NULL: nowhere. /proc/self/mountinfo: … root mount-point options … -
 * type … */
static char *mount_point(void)
{
    autofile FILE *f = fopen("/proc/self/mountinfo", "re");
    char line[4096], point[2048];
    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (strstr(line, " - cgroup2 ") != NULL && sscanf(line, "%*s %*s %*s / %2047s", point) == 1)
            return xstrdup(point);
    return NULL;
}

static char *own_path(void)
{
    autofile FILE *f = fopen("/proc/self/cgroup", "re");
    autofree char *point = mount_point();
    char line[4096];
    while (point != NULL && f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, "0::/", 4) == 0) {
            line[strcspn(line, "\n")] = '\0';
            return line[4] != '\0' ? xasprintf("%s%s", point, line + 3) : NULL;
        }
    return NULL;
}

/* systemd marks what it delegates; for an ordinary user it is enough that the folder is his own.
 * Root could write to any, and must leave alone what others manage. */
static bool delegated(const char *path)
{
    struct stat st;
    char mark[2] = "";
    if (geteuid() != 0)
        return stat(path, &st) == 0 && st.st_uid == geteuid();
    return (getxattr(path, "trusted.delegate", mark, 1) == 1 ||
            getxattr(path, "user.delegate", mark, 1) == 1) &&
           mark[0] == '1';
}

/* Lets children of the folder be bounded by what of `wanted` there is. */
static int controllers_pass(const char *folder)
{
    char there[256];
    if (file_get(folder, "cgroup.controllers", there, sizeof(there)) < 0)
        return -1;
    for (size_t i = 0; i < countof(wanted); i++) {
        char word[32];
        snprintf(word, sizeof(word), "+%s", wanted[i]);
        const char *at = strstr(there, wanted[i]);
        if (at != NULL && file_put(folder, "cgroup.subtree_control", word) < 0)
            return -1;
    }
    return 0;
}

static void controllers_keep(const char *folder)
{
    for (size_t i = 0; i < countof(wanted); i++) {
        char word[32];
        snprintf(word, sizeof(word), "-%s", wanted[i]);
        (void)file_put(folder, "cgroup.subtree_control", word); /* it may not have been passed */
    }
}

static void controllers_note(struct cgroup *c)
{
    char passed[256] = "";
    buf_auto text = BUF_INIT;
    (void)file_get(c->path, "cgroup.subtree_control", passed, sizeof(passed));
    for (size_t i = 0; i < countof(wanted); i++)
        if (strstr(passed, wanted[i]) != NULL)
            buf_printf(&text, "%s%s", text.len > 0 ? ", " : "", wanted[i]);
    snprintf(c->controllers, sizeof(c->controllers), "%s",
             text.len > 0 ? text.data : "no controllers");
}

/* The supervisor's place is back where it was. */
static void supervisor_leave(struct cgroup *c)
{
    autofree char *place = xasprintf("%s/supervisor", c->path);
    controllers_keep(c->path);
    (void)process_put(c->path,
                      getpid()); /* not to be had: the folder stays, and goes with its parent */
    (void)rmdir(place);
}

static int supervisor_enter(struct cgroup *c)
{
    autofree char *place = xasprintf("%s/supervisor", c->path);
    if (folder_make(place) < 0 || process_put(place, getpid()) < 0)
        return -1;
    if (controllers_pass(c->path) == 0)
        return 0;
    int failure = errno;
    supervisor_leave(c);
    errno = failure;
    return -1;
}

struct cgroup *cgroup_open(char **why_r)
{
    autofree char *path = own_path();
    if (path == NULL || !delegated(path)) {
        *why_r = xstrdup(path == NULL ? "c9d is in no cgroup of version 2 but the root"
                                      : "c9d's cgroup is not delegated");
        return NULL;
    }
    struct cgroup *c = xcalloc(1, sizeof(*c));
    c->path = move_ptr(&path);
    if (supervisor_enter(c) < 0) {
        *why_r = xasprintf("%s: %s", c->path,
                           errno == EBUSY ? "other processes are in it" : strerror(errno));
        free(c->path);
        free(c);
        return NULL;
    }
    controllers_note(c);
    return c;
}

const char *cgroup_controllers(const struct cgroup *c)
{
    return c->controllers;
}

void cgroup_close(struct cgroup *c)
{
    if (c == NULL)
        return;
    cgroup_zygote_gone(c);
    supervisor_leave(c);
    free(c->path);
    free(c);
}

/* ---- a zygote -------------------------------------------------------------------------------- */

int cgroup_zygote_enter(struct cgroup *c, pid_t pid)
{
    cgroup_zygote_gone(c);
    c->executors = xasprintf("%s/executors.%u", c->path, ++c->zygotes);
    return folder_make(c->executors) < 0 ? -1 : process_put(c->executors, pid);
}

/* As the supervisor sees it: the zygote's user namespace maps its root to another. */
static uid_t uid_of(pid_t pid)
{
    char folder[32], status[4096];
    unsigned uid = geteuid();
    snprintf(folder, sizeof(folder), "/proc/%d", (int)pid);
    if (file_get(folder, "status", status, sizeof(status)) == 0) {
        const char *at = strstr(status, "\nUid:");
        if (at != NULL)
            (void)sscanf(at, "\nUid: %u", &uid);
    }
    return uid;
}

/* The zygote puts processes into a cgroup when it may write this file, there and in the folder
 * above both. */
static int procs_give(const char *folder, uid_t uid)
{
    autofree char *path = xasprintf("%s/cgroup.procs", folder);
    return uid == geteuid() ? 0 : chown(path, uid, (gid_t)-1);
}

int cgroup_zygote_settle(struct cgroup *c, pid_t pid)
{
    autofree char *place = xasprintf("%s/zygote", c->executors);
    char procs[256];
    if (folder_make(place) < 0 || file_get(c->executors, "cgroup.procs", procs, sizeof(procs)) < 0)
        return -1;
    for (char *at = procs, *end; *at != '\0'; at = end + strspn(end, "\n")) {
        long each = strtol(at, &end, 10);
        if (end == at || process_put(place, (pid_t)each) < 0)
            return -1;
    }
    c->zygote_uid = uid_of(pid);
    return procs_give(c->executors, c->zygote_uid) < 0 ? -1 : controllers_pass(c->executors);
}

/* A cgroup can be removed when its last process is reaped, which may be a moment away. */
static void folder_remove(const char *path)
{
    for (int i = 0; rmdir(path) < 0 && errno == EBUSY && i < 100; i++)
        usleep(1000);
}

void cgroup_zygote_gone(struct cgroup *c)
{
    if (c->executors == NULL)
        return;
    struct cgroup_leaf *leaf;
    while ((leaf = c->spare) != NULL) {
        c->spare = leaf->next;
        free(leaf);
    }
    for (unsigned i = 0; i < c->leaves; i++) {
        autofree char *path = xasprintf("%s/%u", c->executors, i);
        folder_remove(path);
    }
    c->leaves = 0;
    autofree char *place = xasprintf("%s/zygote", c->executors);
    folder_remove(place);
    folder_remove(c->executors);
    free(c->executors);
    c->executors = NULL;
}

/* ---- leaves ---------------------------------------------------------------------------------- */

static char *leaf_path(const struct cgroup *c, const struct cgroup_leaf *leaf)
{
    return xasprintf("%s/%u", c->executors, leaf->number);
}

struct cgroup_leaf *cgroup_leaf_take(struct cgroup *c)
{
    struct cgroup_leaf *leaf = c->spare;
    if (leaf != NULL) {
        c->spare = leaf->next;
        return leaf;
    }
    leaf = xcalloc(1, sizeof(*leaf));
    leaf->number = c->leaves++;
    autofree char *path = leaf_path(c, leaf);
    if (folder_make(path) == 0 && procs_give(path, c->zygote_uid) == 0) {
        (void)file_put(path, "pids.max", "1"); /* not there without its controller */
        return leaf;
    }
    int failure = errno;
    free(leaf);
    errno = failure;
    return NULL;
}

int cgroup_leaf_open(struct cgroup *c, const struct cgroup_leaf *leaf)
{
    autofree char *path = leaf_path(c, leaf);
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void cgroup_leaf_limit(struct cgroup *c, struct cgroup_leaf *leaf, uint64_t bytes)
{
    char text[32];
    if (bytes == leaf->memory || strstr(c->controllers, "memory") == NULL)
        return;
    autofree char *path = leaf_path(c, leaf);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);
    if (file_put(path, "memory.max", text) == 0)
        leaf->memory = bytes;
    else
        log_error("cgroup.memory", "%s/memory.max: %s", path, strerror(errno));
}

void cgroup_leaf_give(struct cgroup *c, struct cgroup_leaf *leaf)
{
    leaf->next = c->spare;
    c->spare = leaf;
}
