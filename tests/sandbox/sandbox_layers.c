/* Each layer alone: without it an attempt succeeds, with it and with nothing else the same attempt
 * is refused. All layers together are in sandbox_zygote, the syscall policy is in
 * sandbox_forbidden. */
#include "tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/lockdown.h"
#include "wire/wire.h"

static pid_t outside; /* the test itself */
static ino_t outside_mounts, outside_cgroup;
static int port, shared = -1;
static char outside_name[256], *folder;

/* ---- what holds behind each ------------------------------------------------------------------ */

static bool cannot_rename_host(void) /* the right name again, so that nothing is changed */
{
    return sethostname(outside_name, strlen(outside_name)) < 0 && errno == EPERM;
}

static bool cannot_name_others(void)
{
    return kill(outside, 0) < 0 && errno == ESRCH;
}

/* Which namespace a process is in. */
static ino_t namespace_of_self(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

static bool mounts_are_own(void)
{
    return namespace_of_self("/proc/self/ns/mnt") != outside_mounts;
}

static bool cannot_connect(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0;
}

static bool cannot_share_memory(void)
{
    return shmat(shared, NULL, SHM_RDONLY) == (void *)-1;
}

static bool has_another_name(void)
{
    char name[256] = "";
    gethostname(name, sizeof(name) - 1);
    return strcmp(name, "executor") == 0;
}

static bool cgroup_is_own(void)
{
    return namespace_of_self("/proc/self/ns/cgroup") != outside_cgroup;
}

static bool cannot_write_or_map(void)
{
    signal(SIGXFSZ, SIG_IGN);
    int fd = open("written", O_CREAT | O_RDWR, 0600);
    bool written = fd >= 0 && pwrite(fd, "x", 1, FILE_BYTES) == 1;
#ifdef C9_SANITIZED /* whose shadow needs its addresses */
    return !written;
#endif
    return !written &&
           mmap(NULL, 64 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
}

static bool root_is_empty(void)
{
    return access("/etc/passwd", F_OK) < 0 && access("/proc/self", F_OK) < 0 &&
           mkdir("/new", 0700) < 0;
}

static bool is_not_root(void)
{
    return getuid() != 0 && geteuid() != 0 && getegid() != 0 && setresuid(0, 0, 0) < 0;
}

static bool leads_session(void)
{
    return getsid(0) == getpid();
}

static bool creates_for_nobody(void)
{
    struct stat st;
    return close(open("created", O_CREAT | O_WRONLY, 0777)) == 0 && stat("created", &st) == 0 &&
           (st.st_mode & 0777) == 0;
}

static bool gains_nothing(void)
{
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

static bool is_not_dumpable(void)
{
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
}

static bool opens_nothing(void)
{
    return open("/etc/passwd", O_RDONLY) < 0 && open(".", O_RDONLY | O_DIRECTORY) < 0 &&
           mkdir("new", 0700) < 0;
}

static bool maps_nothing_executable(void)
{
    return mmap(NULL, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
           MAP_FAILED;
}

#ifndef PR_GET_THP_DISABLE
#define PR_GET_THP_DISABLE 42
#endif

static bool has_small_pages(void)
{
    return prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1;
}

static bool bounding_set_is_empty(void)
{
    for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
        if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
            return false;
    return true;
}

static bool dies_with_parent(void)
{
    int sig = 0;
    return prctl(PR_GET_PDEATHSIG, &sig, 0, 0, 0) == 0 && sig == SIGKILL;
}

static bool has_no_capability(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    return syscall(SYS_capget, &header, data) == 0 && data[0].effective == 0 &&
           data[0].permitted == 0 && data[1].permitted == 0 && chroot("/") < 0;
}

static bool has_one_descriptor(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n == 1 + STDERR_FILENO - LAST_CLOSED_FD && fcntl(WIRE_FD, F_GETFD) >= 0;
}

static bool leads_group(void)
{
    return getpgrp() == getpid();
}

static bool has_own_uid(void)
{
    return getuid() == (uid_t)getpid();
}

static bool makes_no_descriptor_or_process(void)
{
    pid_t pid = dup(WIRE_FD) < 0 && errno == EMFILE ? fork() : 0;
    if (pid == 0 && getppid() != outside)
        return false; /* it is the child, or dup worked */
    return pid < 0 && errno == EAGAIN;
}

/* ---- the table ------------------------------------------------------------------------------- */

enum { AS_ROOT = 1, AS_USER = 2, IN_CHILD = 4 /* the layer holds for children only */ };
static const struct alone {
    const char *layer,
        *needs; /* needs: a layer without which it cannot be applied here, as an ordinary user */
    unsigned how;
    bool (*holds)(void);
} namespaces[] =
    {
        {"user namespace", NULL, AS_ROOT, cannot_rename_host},
        {"pid namespace", "user namespace", AS_ROOT | AS_USER | IN_CHILD, cannot_name_others},
        {"mount namespace", "user namespace", AS_ROOT | AS_USER, mounts_are_own},
        {"network namespace", "user namespace", AS_ROOT | AS_USER, cannot_connect},
        {"ipc namespace", "user namespace", AS_ROOT | AS_USER, cannot_share_memory},
        {"uts namespace", "user namespace", AS_ROOT | AS_USER, has_another_name},
        {"cgroup namespace", "user namespace", AS_ROOT | AS_USER, cgroup_is_own},
},
  zygote[] =
      {
          {"resource limits", NULL, AS_ROOT | AS_USER, cannot_write_or_map},
          {"empty root", "mount namespace", AS_ROOT, root_is_empty},
          {"unprivileged user", NULL, AS_ROOT, is_not_root},
          {"session", NULL, AS_ROOT | AS_USER, leads_session},
          {"umask", NULL, AS_ROOT | AS_USER, creates_for_nobody},
          {"no new privileges", NULL, AS_ROOT | AS_USER, gains_nothing},
          {"no dumps", NULL, AS_ROOT | AS_USER, is_not_dumpable},
          {"landlock", "no new privileges", AS_ROOT | AS_USER, opens_nothing},
          {"no executable memory", NULL, AS_ROOT | AS_USER, maps_nothing_executable},
          {"no huge pages", NULL, AS_ROOT | AS_USER, has_small_pages},
          {"bounding set", NULL, AS_ROOT, bounding_set_is_empty},
          {"parent death", NULL, AS_ROOT | AS_USER, dies_with_parent},
          {"capabilities", NULL, AS_ROOT, has_no_capability},
},
  executor[] = {
      {"descriptors", NULL, AS_ROOT | AS_USER, has_one_descriptor},
      {"process group", NULL, AS_ROOT | AS_USER, leads_group},
      {"own user", "user namespace", AS_ROOT, has_own_uid},
      {"capabilities", NULL, AS_ROOT, has_no_capability},
      {"parent death", NULL, AS_ROOT | AS_USER, dies_with_parent},
      {"process limits", NULL, AS_USER, makes_no_descriptor_or_process},
};

/* ---- applying one ---------------------------------------------------------------------------- */

enum { HOLDS = 10, HOLDS_NOT, NOT_APPLIED };

static const struct lockdown_layer *layer_in(const struct lockdown_layer *rows, size_t n,
                                             const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

/* By name among those that come before executors. */
static bool layer_apply(struct lockdown *lockdown, const char *name)
{
    const struct lockdown_layer *row =
        layer_in(lockdown_namespaces, lockdown_namespace_count, name);
    if (row == NULL)
        row = layer_in(lockdown_zygote, lockdown_zygote_count, name);
    return row != NULL && row->apply(lockdown) == 0;
}

/* In a child, in the test's folder, as uid when that is not 0. row NULL: without the layer. */
static _Noreturn void alone_child(const struct alone *a, const struct lockdown_layer *row,
                                  uid_t uid)
{
    struct lockdown lockdown = {.zygote = outside, .socket = open("/dev/null", O_RDWR)};
    /* Dumpable again, as after an exec: else /proc/self would be root's. */
    if (uid != 0 && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
                     setresuid(uid, uid, uid) < 0 || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0))
        _exit(NOT_APPLIED);
    if (a->needs != NULL &&
        (getuid() != 0 || strcmp(a->needs, "user namespace") != 0 || a->holds == has_own_uid) &&
        !layer_apply(&lockdown, a->needs))
        _exit(NOT_APPLIED);
    if (row != NULL && row->apply(&lockdown) < 0)
        _exit(NOT_APPLIED);
    if (a->how & IN_CHILD) {
        int status;
        pid_t pid = fork();
        if (pid == 0)
            _exit(a->holds() ? HOLDS : HOLDS_NOT);
        _exit(waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                   : NOT_APPLIED);
    }
    _exit(a->holds() ? HOLDS : HOLDS_NOT);
}

static int alone_run(const struct alone *a, const struct lockdown_layer *row, uid_t uid)
{
    int status = -1;
    char command[128];
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        alone_child(a, row, uid);
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return -1;
    snprintf(command, sizeof(command), "cd %s && rm -rf written created new", folder);
    return system(command) == 0 ? WEXITSTATUS(status) : -1;
}

static void test_rows(const char *whose, const struct alone *tests, size_t n,
                      const struct lockdown_layer *rows, size_t n_rows)
{
    for (size_t i = 0; i < n_rows; i++) {
        bool found = false;
        for (size_t k = 0; k < n; k++)
            found |= strcmp(tests[k].layer, rows[i].name) == 0;
        ok(found, "%s: the layer '%s' is tested", whose, rows[i].name);
    }
    for (size_t k = 0; k < n; k++) {
        const struct lockdown_layer *row = layer_in(rows, n_rows, tests[k].layer);
        bool root = geteuid() == 0;
        for (size_t u = 0; u < (root ? 2 : 1); u++) {
            uid_t uid = root && u == 1 ? 65534 : 0;
            if (!(tests[k].how & (uid != 0 || !root ? AS_USER : AS_ROOT)))
                continue;
            int with = alone_run(&tests[k], row, uid), without = alone_run(&tests[k], NULL, uid);
            if (with == NOT_APPLIED && !row->required) {
                skip("this kernel does not have it", row->name);
                continue;
            }
            if (!ok(with == HOLDS && without == HOLDS_NOT, "%s: '%s' alone, as %s", whose,
                    row->name,
                    uid != 0 ? "uid 65534"
                    : root   ? "root"
                             : "this user"))
                note("with it %d, without %d (%d holds, %d does not, %d cannot be applied)", with,
                     without, HOLDS, HOLDS_NOT, NOT_APPLIED);
        }
    }
}

static int listen_somewhere(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 64) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        abort();
    port = ntohs(at.sin_port);
    return fd;
}

int main(void)
{
    outside = getpid();
    outside_mounts = namespace_of_self("/proc/self/ns/mnt");
    outside_cgroup = namespace_of_self("/proc/self/ns/cgroup");
    gethostname(outside_name, sizeof(outside_name) - 1);
    folder = tap_temporary();
    if (mkdtemp(folder) == NULL || chmod(folder, 0777) < 0 || chdir(folder) < 0)
        abort();
    int fd = listen_somewhere();
    shared = shmget(IPC_PRIVATE, 4096, 0666);
    test_rows("namespaces", namespaces, countof(namespaces), lockdown_namespaces,
              lockdown_namespace_count);
    test_rows("zygote", zygote, countof(zygote), lockdown_zygote, lockdown_zygote_count);
    test_rows("executor", executor, countof(executor), lockdown_executor, lockdown_executor_count);
    shmctl(shared, IPC_RMID, NULL);
    close(fd);
    if (chdir("/") < 0 || rmdir(folder) < 0)
        note("%s stays: %s", folder, strerror(errno));
    free(folder);
    return done_testing();
}
