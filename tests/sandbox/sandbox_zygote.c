/* The zygote from SETUP to its end: as root, as an ordinary user, and without namespaces; what it
 * tells, what it forks, what it reaps, and that nothing outlives it. */
#include "harness.h"

#include <dirent.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "sandbox/lockdown.h"

#ifdef C9_SANITIZED /* whose runtimes need more calls than the zygote's policy has, and time */
enum { MIB = 1 << 20, ZYGOTE_FILTERS = 0, SLOW = 8 };
#else
enum { MIB = 1 << 20, ZYGOTE_FILTERS = 1, SLOW = 1 };
#endif
static struct zygote_under_test z;
static struct frame frame;

static const char *const layers[] = {
    "user namespace",    "pid namespace",   "mount namespace",
    "network namespace", "ipc namespace",   "uts namespace",
    "cgroup namespace",  "resource limits", "empty root",
    "unprivileged user", "session",         "umask",
    "no new privileges", "no dumps",        "landlock",
    "parent death",      "capabilities",    "zygote syscall policy",
};

static bool layer_on(const char *name)
{
    char want[128];
    snprintf(want, sizeof(want), "{\"layer\":\"%s\",\"state\":\"on\"", name);
    return strstr(z.text, want) != NULL;
}

static void test_execution(const char *who)
{
    int fd = zygote_spawn_one(&z, 1);
    ok(fd >= 0, "%s: SPAWN gives a socket", who);
    ok(frame_is(fd, &frame, WIRE_READY), "%s: the executor is READY", who);
    ok(execution_begin(
           fd, 1000000, 32 * MIB,
           SKILL("local s = 0 for i = 1, input.n do s = s + i * i % 7 end return { sum = s }")),
       "%s: it takes its work", who);
    ok(frame_is(fd, &frame, WIRE_RESULT), "%s: it ends with a RESULT", who);
    is_str(frame.payload + WIRE_STATS_SIZE, "{\"sum\":42}", "%s: the right one", who);
    ok(!frame_read(fd, &frame), "%s: and nothing behind", who);
    close(fd);
    ok(zygote_next(&z, WIRE_CTL_EXITED, &fd) && z.last.cookie == 1 && z.last.status == 0,
       "%s: EXITED follows", who);
    ok(z.last.user_us + z.last.system_us > 0 && z.last.maxrss > 0, "%s: with what it used", who);
}

/* By way of /proc of the host: what the kernel says about an executor that waits. */
static bool status_line(pid_t pid, const char *key, char *out, size_t size)
{
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    bool found = false;
    while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':') {
            snprintf(out, size, "%s",
                     line + strlen(key) + 1 + strspn(line + strlen(key) + 1, "\t "));
            out[strcspn(out, "\n")] = '\0';
            found = true;
        }
    if (f != NULL)
        fclose(f);
    return found;
}

/* The process below pid, or 0. */
static pid_t child_of(pid_t pid)
{
    char path[96];
    int child = 0;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *f = fopen(path, "r");
    if (f == NULL || fscanf(f, "%d", &child) != 1)
        child = 0;
    if (f != NULL)
        fclose(f);
    return child;
}

static bool same_namespace(pid_t pid, const char *kind)
{
    char path[64], ours[128] = "", theirs[128] = "";
    snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kind);
    ssize_t a = readlink(path, theirs, sizeof(theirs) - 1);
    snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
    ssize_t b = readlink(path, ours, sizeof(ours) - 1);
    return a <= 0 || b <= 0 || strcmp(ours, theirs) == 0;
}

static int entries(const char *fmt, pid_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), fmt, (int)pid);
    DIR *d = opendir(path);
    int n = d == NULL ? -1 : 0;
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    if (d != NULL)
        closedir(d);
    return n;
}

static void test_from_outside(void)
{
    static const char *const kinds[] = {"user", "pid", "mnt", "net", "ipc", "uts", "cgroup"};
    static const struct {
        const char *key, *want;
    } lines[] = {
        {"CapInh", "0000000000000000"}, {"CapPrm", "0000000000000000"},
        {"CapEff", "0000000000000000"}, {"CapBnd", "0000000000000000"},
        {"CapAmb", "0000000000000000"}, {"NoNewPrivs", "1"},
    };
    char got[128] = "", path[64];
    int fd = zygote_spawn_one(&z, 2), status;
    ok(frame_is(fd, &frame, WIRE_READY), "an executor waits");
    pid_t pid = child_of(child_of(z.pid));
    if (!ok(pid > 0, "it is the zygote's child in the namespace"))
        return;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        ok(!same_namespace(pid, kinds[i]), "%s namespace is another", kinds[i]);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        status_line(pid, lines[i].key, got, sizeof(got));
        is_str(got, lines[i].want, "%s", lines[i].key);
    }
    unsigned uid = 0;
    ok(status_line(pid, "Uid", got, sizeof(got)) && sscanf(got, "%u", &uid) == 1 &&
           uid > 0x70000000,
       "its uid is nobody's: %u", uid);
    is_int(entries("/proc/%d/fd", pid), 1 + STDERR_FILENO - LAST_CLOSED_FD,
           "it has one descriptor");
    is_int(entries("/proc/%d/root", pid), 0, "its root is empty");
    ok(status_line(pid, "Seccomp_filters", got, sizeof(got)) && atoi(got) == ZYGOTE_FILTERS,
       "the zygote's syscall policy holds, its own is not there yet");
    snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
    FILE *f = fopen(path, "r");
    size_t n = f != NULL ? fread(got, 1, sizeof(got), f) : 0;
    ok(memchr(got, 'x', n) == NULL && memmem(got, n, "SECRET", 6) == NULL,
       "its environment is wiped");
    if (f != NULL)
        fclose(f);
    ok(execution_begin(fd, 1000000, 32 * MIB, SKILL("c9.sleep(1) return 1")) &&
           frame_is(fd, &frame, WIRE_REQUEST),
       "started, it asks");
    ok(status_line(pid, "Seccomp", got, sizeof(got)) && strcmp(got, "2") == 0 &&
           status_line(pid, "Seccomp_filters", got, sizeof(got)) && atoi(got) == ZYGOTE_FILTERS + 1,
       "now its own holds as well");

    ok(zygote_send(&z, WIRE_CTL_KILL, 77), "KILL of one that is not");
    ok(zygote_send(&z, WIRE_CTL_KILL, 2) && zygote_next(&z, WIRE_CTL_EXITED, &status) &&
           z.last.cookie == 2 && WIFSIGNALED(z.last.status) && WTERMSIG(z.last.status) == SIGKILL,
       "KILL by cookie kills it");
    close(fd);
}

enum { BURNERS = 12 };

/* The executors there are, in the order spawned; how many. */
static int executors_of(pid_t zygote, pid_t pids_r[BURNERS])
{
    char path[96];
    int n = 0;
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)zygote, (int)zygote);
    FILE *f = fopen(path, "r");
    while (f != NULL && n < BURNERS && fscanf(f, "%d", &pids_r[n]) == 1)
        n++;
    if (f != NULL)
        fclose(f);
    return n;
}

/* Or will be before it does anything more: on a busy machine it takes until then to be told. */
static bool is_stopped(pid_t pid)
{
    char state[32], pending[32];
    return status_line(pid, "State", state, sizeof(state)) &&
           status_line(pid, "ShdPnd", pending, sizeof(pending)) &&
           (state[0] == 'T' || (strtoull(pending, NULL, 16) >> (SIGSTOP - 1) & 1) != 0);
}

/* Of many that burn CPU time as many run as there are CPUs, and each comes to its turn. */
static void test_turns(const char *who)
{
    int fds[BURNERS], none, n;
    pid_t pids[BURNERS];
    bool ran[BURNERS] = {false}, rested[BURNERS] = {false};
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    for (int i = 0; i < BURNERS; i++) {
        fds[i] = zygote_spawn_one(&z, (uint64_t)(100 + i));
        if (!frame_is(fds[i], &frame, WIRE_READY) ||
            !execution_begin(fds[i], 60000000, 32 * MIB, SKILL("while true do end")))
            ok(false, "%s: burner %d starts", who, i);
    }
    is_int(n = executors_of(child_of(z.pid), pids), BURNERS, "%s: many burn", who);
    int all = 0, least = BURNERS;
    for (int k = 0; k < 4000 * SLOW && (all < n || least > cpus); k++, usleep(5000)) {
        int running = 0;
        all = 0;
        for (int i = 0; i < n; i++) {
            bool stopped = is_stopped(pids[i]);
            running += !stopped;
            rested[i] |= stopped;
            ran[i] |= !stopped && rested[i];
            all += ran[i];
        }
        least = running < least ? running : least;
    }
    is_int(all, n, "%s: each was stopped, and went on", who);
    ok(cpus >= BURNERS || least <= cpus, "%s: %d run on %ld CPUs", who, least, cpus);
    for (int i = 0; i < BURNERS; i++)
        zygote_send(&z, WIRE_CTL_KILL, (uint64_t)(100 + i));
    int ended = 0;
    while (ended < BURNERS && zygote_next(&z, WIRE_CTL_EXITED, &none))
        ended += WIFSIGNALED(z.last.status) && WTERMSIG(z.last.status) == SIGKILL;
    is_int(ended, BURNERS, "%s: stopped or not, all are killed", who);
    for (int i = 0; i < BURNERS; i++)
        close(fds[i]);
}

/* Who burned and then waits is not stopped: what it waits for finds it. */
static void test_waiting_out_of_turn(const char *who)
{
    int none, stopped = 0;
    int fd = zygote_spawn_one(&z, 200), burner[4];
    ok(frame_is(fd, &frame, WIRE_READY) &&
           execution_begin(fd, 60000000, 32 * MIB,
                           SKILL("for i = 1, 3e7 do end c9.sleep(1) return 1")),
       "%s: one burns and then waits", who);
    pid_t pid = child_of(child_of(z.pid));
    for (int i = 0; i < 4; i++) {
        burner[i] = zygote_spawn_one(&z, (uint64_t)(201 + i));
        if (!frame_is(burner[i], &frame, WIRE_READY) ||
            !execution_begin(burner[i], 60000000, 32 * MIB, SKILL("while true do end")))
            ok(false, "%s: burner %d starts", who, i);
    }
    ok(frame_is(fd, &frame, WIRE_REQUEST), "%s: it asks", who);
    for (int k = 0; k < 400 && is_stopped(pid); k++)
        usleep(5000); /* its last turn comes yet */
    usleep(100000);
    for (int k = 0; k < 40; k++, usleep(5000))
        stopped += is_stopped(pid);
    is_int(stopped, 0, "%s: and is not stopped while it waits", who);
    for (int i = 0; i < 5; i++)
        zygote_send(&z, WIRE_CTL_KILL, (uint64_t)(200 + i));
    for (int i = 0; i < 5; i++)
        zygote_next(&z, WIRE_CTL_EXITED, &none);
    close(fd);
    for (int i = 0; i < 4; i++)
        close(burner[i]);
}

static void test_unused(void)
{
    int fd = zygote_spawn_one(&z, 3);
    ok(frame_is(fd, &frame, WIRE_READY), "a spare executor");
    int again = 0;
    int second = zygote_spawn_one(&z, 3);
    ok(send(second, "x", 1, 0) == 1 && zygote_next(&z, WIRE_CTL_FAILED, &again) &&
           z.last.status == EEXIST,
       "its cookie cannot be used twice");
    char byte = 0;
    ok(again >= 0 && recv(again, &byte, 1, 0) == 1 && byte == 'x',
       "and the socket comes back with what was sent");
    close(again);
    close(second);
    close(fd);
    ok(zygote_next(&z, WIRE_CTL_EXITED, &fd) && z.last.status == 0,
       "that is not needed ends quietly");
    fd = zygote_spawn_one(&z, 3);
    ok(frame_is(fd, &frame, WIRE_READY), "then its cookie can be used again");
    if (send(fd, "garbage garbage garbage", 23, 0) != 23)
        note("send: %s", strerror(errno));
    ok(zygote_next(&z, WIRE_CTL_EXITED, &again) && WEXITSTATUS(z.last.status) == 1,
       "an executor that is told garbage ends");
    close(fd);
}

static void test_end(void)
{
    int fd = zygote_spawn_one(&z, 4);
    ok(frame_is(fd, &frame, WIRE_READY), "an executor waits");
    is_int(zygote_stop(&z), 0, "the zygote ends when the supervisor closes");
    ok(!frame_read(fd, &frame), "and its executor with it");
    close(fd);

    if (!ok(zygote_start(&z, 0, NULL, WIRE_SETUP_STRICT, 64 * MIB), "another one"))
        return;
    fd = zygote_spawn_one(&z, 5);
    ok(frame_is(fd, &frame, WIRE_READY), "an executor waits");
    kill(z.pid, SIGKILL);
    ok(!frame_read(fd, &frame), "the first process of the zygote killed, all end");
    zygote_stop(&z);
    close(fd);
}

static void test_refusals(void)
{
    int fd;
    if (!ok(zygote_start(&z, 0, NULL, 0, 64 * MIB), "a zygote"))
        return;
    zygote_send(&z, WIRE_CTL_UP, 1);
    ok(zygote_next(&z, WIRE_CTL_DOWN, &fd), "a packet that makes no sense: DOWN, \"%s\"", z.text);
    is_int(zygote_stop(&z), 1, "and the end");
    ok(!zygote_start(&z, 0, NULL, 0, (uint64_t)1 << 60) && z.last.type == WIRE_CTL_DOWN,
       "more memory than there are addresses: DOWN, \"%s\"", z.text);
    is_int(zygote_stop(&z), 1, "and the end");
}

/* As on a kernel that has no user namespaces for this user. */
static void without_unshare(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        _exit(96);
}

static void test_without_namespaces(uid_t uid, const char *who)
{
    ok(!zygote_start(&z, uid, without_unshare, WIRE_SETUP_STRICT, 64 * MIB) &&
           z.last.type == WIRE_CTL_DOWN && strncmp(z.text, "user namespace: ", 16) == 0,
       "%s without namespaces: strict goes DOWN, \"%s\"", who, z.text);
    is_int(zygote_stop(&z), 1, "with status 1");
    if (!ok(zygote_start(&z, uid, without_unshare, 0, 64 * MIB), "%s: best effort comes UP", who)) {
        note("%s", z.text);
        return;
    }
    for (int i = 0; i < 7; i++)
        ok(!layer_on(layers[i]), "%s: it says that it lacks the %s", who, layers[i]);
    ok(layer_on("landlock") && layer_on("no new privileges") && layer_on("unprivileged user"),
       "%s: the other layers hold", who);
    test_execution(who);
    is_int(zygote_stop(&z), 0, "%s: it ends", who);
}

static void test_up(uid_t uid, const char *who)
{
    if (!ok(zygote_start(&z, uid, NULL, WIRE_SETUP_STRICT, 64 * MIB), "%s: strict comes UP", who)) {
        note("%s", z.text);
        return;
    }
    for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++)
        ok(layer_on(layers[i]), "%s: %s", who, layers[i]);
    note("%s", z.text);
    test_execution(who);
}

int main(void)
{
    if (geteuid() == 0) {
        test_up(0, "root");
        test_from_outside();
        test_turns("root");
        test_waiting_out_of_turn("root");
        test_unused();
        test_end();
        test_refusals();
        test_without_namespaces(0, "root");
        test_up(65534, "uid 65534");
        test_turns("uid 65534");
        is_int(zygote_stop(&z), 0, "uid 65534: it ends");
        test_without_namespaces(65534, "uid 65534");
    } else {
        test_up(0, "this user");
        test_unused();
        test_end();
        test_refusals();
        test_without_namespaces(0, "this user");
    }
    return done_testing();
}
