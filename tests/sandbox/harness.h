/* Plays the supervisor and the engine to a real c9d-zygote. */
#ifndef C9_TESTS_SANDBOX_HARNESS_H
#define C9_TESTS_SANDBOX_HARNESS_H

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"
#include "wire/wire.h"

#define EXECUTION_ID "01890a5d-ac96-774b-bcce-b302099a8057"

/* Every test here runs as who started it and, when that is root, as an ordinary user too. */
__attribute__((unused)) static const uid_t users[] = {0, 65534};
__attribute__((unused)) static size_t user_count(void)
{
    return geteuid() == 0 ? 2 : 1;
}
__attribute__((unused)) static const char *user_name(uid_t uid)
{
    return uid != 0 ? "uid 65534" : geteuid() == 0 ? "root" : "this user";
}

struct zygote_under_test {
    pid_t pid;
    int control;
    struct wire_control last;
    char text[WIRE_CTL_TEXT_MAX];
};

/* The binary beside the test: build/tests/sandbox/NAME and build/c9d-zygote. */
static const char *zygote_path(void)
{
    static char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
    path[n > 0 ? n : 0] = '\0';
    for (int up = 0; up < 3; up++) {
        char *slash = strrchr(path, '/');
        if (slash != NULL)
            *slash = '\0';
    }
    return strcat(path, "/c9d-zygote");
}

/* Waits in short pieces: when all of us were stopped for long, what is awaited was too. */
static bool comes(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};
    int rc = 0;
    for (int piece = 0; piece < 200 && rc == 0; piece++)
        rc = poll(&p, 1, 100);
    return rc == 1;
}

/* One packet. */
static bool zygote_next(struct zygote_under_test *z, unsigned type, int *fd_r)
{
    int fds[WIRE_CTL_FDS];
    *fd_r = -1;
    memset(&z->last, 0, sizeof(z->last));
    if (!comes(z->control) || wire_control_receive(z->control, &z->last, z->text, fds) != 1)
        return false;
    *fd_r = fds[WIRE_CTL_SOCKET];
    return z->last.type == type;
}

__attribute__((unused)) static bool zygote_send(struct zygote_under_test *z, unsigned type,
                                                uint64_t cookie)
{
    struct wire_control c = {.type = (uint16_t)type, .cookie = cookie};
    return wire_control_send(z->control, &c, NULL, NULL) == 0;
}

/* Starts it as uid (0: as this process is), after `before` ran in the child. True when it is UP. */
static bool zygote_start(struct zygote_under_test *z, uid_t uid, void (*before)(void),
                         unsigned flags, uint64_t memory_max)
{
    int pair[2], fd;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return false;
    /* opened before the uid changes: the build folder may be closed to it */
    int binary = open(zygote_path(), O_RDONLY | O_CLOEXEC);
    z->control = pair[0];
    z->pid = fork();
    if (z->pid == 0) {
        char *const argv[] = {(char *)"c9d-zygote", NULL}, *const env[] = {(char *)"SECRET=x",
                                                                           NULL};
        if (uid != 0 && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
                         setresuid(uid, uid, uid) < 0))
            _exit(99);
        if (before != NULL)
            before();
        if (pair[1] == WIRE_FD ? fcntl(WIRE_FD, F_SETFD, 0) < 0 : dup2(pair[1], WIRE_FD) < 0)
            _exit(98);
        fexecve(binary == WIRE_FD ? 97 : binary, argv, env);
        _exit(97);
    }
    close(pair[1]);
    close(binary);
    struct wire_control setup = {.type = WIRE_CTL_SETUP, .flags = flags, .memory_max = memory_max};
    return wire_control_send(z->control, &setup, NULL, NULL) == 0 &&
           zygote_next(z, WIRE_CTL_UP, &fd);
}

/* Closes the control socket; the zygote's exit status, or -1 when it stays. */
__attribute__((unused)) static int zygote_stop(struct zygote_under_test *z)
{
    int status;
    close(z->control);
    for (int i = 0; i < 500; i++) {
        if (waitpid(z->pid, &status, WNOHANG) == z->pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
        usleep(10000);
    }
    kill(z->pid, SIGKILL);
    waitpid(z->pid, &status, 0);
    return -1;
}

/* SPAWN; the engine's end of the executor's socket, or -1. */
static int zygote_spawn_one(struct zygote_under_test *z, uint64_t cookie)
{
    struct wire_control c = {.type = WIRE_CTL_SPAWN, .cookie = cookie};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    int failed = wire_control_send(z->control, &c, NULL, (int[WIRE_CTL_FDS]){pair[1], -1});
    close(pair[1]);
    if (failed == 0)
        return pair[0];
    close(pair[0]);
    return -1;
}

struct frame {
    struct wire_header header;
    char payload[65536];
};

static bool bytes_read(int fd, void *out, size_t len)
{
    for (char *at = out; len > 0;) {
        ssize_t n = comes(fd) ? read(fd, at, len) : -1;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

/* The next frame; false at the end of the stream or when it is refused. */
static bool frame_read(int fd, struct frame *frame)
{
    uint8_t head[WIRE_HEADER_SIZE];
    memset(&frame->header, 0, sizeof(frame->header));
    if (!bytes_read(fd, head, sizeof(head)))
        return false;
    const char *why = wire_header_decode(head, true, &frame->header);
    if (why != NULL || frame->header.length >= sizeof(frame->payload)) {
        note("refused: %s", why ? why : "too long for the test");
        return false;
    }
    frame->payload[frame->header.length] = '\0';
    return bytes_read(fd, frame->payload, frame->header.length);
}

static bool frame_is(int fd, struct frame *frame, unsigned type)
{
    if (frame_read(fd, frame) && frame->header.type == type)
        return true;
    const struct wire_row *row = wire_row(frame->header.type);
    note("got %s: %s", row ? row->name : "nothing", row ? frame->payload : "");
    return false;
}

static struct wire_start start_of(uint64_t cpu_us, uint64_t memory)
{
    return (struct wire_start){.mode = WIRE_MODE_RUN,
                               .log_bytes_max = 65536,
                               .log_count_max = 1000,
                               .emit_count_max = 1000,
                               .requests_max = 1000,
                               .pending_max = 16,
                               .cpu_us = cpu_us,
                               .memory = memory,
                               .output_max = 1 << 20,
                               .execution_id = EXECUTION_ID};
}

/* START, one skill, RUN. */
static bool execution_begin(int fd, uint64_t cpu_us, uint64_t memory, const char *source)
{
    buf_auto out = BUF_INIT, start = BUF_INIT, skill = BUF_INIT;
    struct wire_start s = start_of(cpu_us, memory);
    static const char run[] =
        "{\"input\":{\"n\":20},\"context\":{\"execution\":{\"id\":\"" EXECUTION_ID "\"}}}";
    wire_start_encode(&s, &start);
    wire_frame_append(&out, WIRE_START, 0, 0, start.data, start.len);
    buf_append(&skill, "\4\0test", 6);
    buf_append_str(&skill, source);
    wire_frame_append(&out, WIRE_SKILL, 0, 0, skill.data, skill.len);
    wire_frame_append(&out, WIRE_RUN, 0, 0, run, sizeof(run) - 1);
    return send(fd, out.data, out.len, MSG_NOSIGNAL) == (ssize_t)out.len;
}

#define SKILL(body)                                                                                \
    "return { name = 'test', version = '1.0.0', description = 'a test', "                          \
    "run = function(input, ctx) " body " end }"

#endif
