/* The zygote and its executors, from the supervisor's side. The zygote here is this program again
 * (its argv[0] says so): it has no sandbox, plays what it is told to, and so everything that a
 * zygote or an executor can do wrong happens in turn. */
#include "supervisor/executors.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "tap.h"

/* ==== the zygote: what SETUP's memory_max says ================================================ */

enum scene {
    SCENE_FINE = 1,
    SCENE_DOWN,  /* instead of UP, with a reason */
    SCENE_EXITS, /* before it is up */
    SCENE_OTHER, /* another message than UP first */
    /* Up, and then of the first executor: */
    SCENE_NO_FORK,    /* FAILED, and the socket back */
    SCENE_STILLBORN,  /* EXITED before READY */
    SCENE_LOCKFAIL,   /* it cannot lock itself down */
    SCENE_TWICE,      /* EXITED twice */
    SCENE_LATE,       /* READY, and then FAILED */
    SCENE_IMPATIENT,  /* READY, and at once a notice that nobody asked for */
    SCENE_READY_GONE, /* READY, and it ends before anybody wants it */
};

/* What an executor does when it reads one of these: */
enum {
    DO_LOG = 'L',
    DO_RESULT = 'R',
    DO_GARBAGE = 'G',
    DO_BEHIND = 'B',
    DO_READY = 'Y',
    DO_EXIT = 'X',
    DO_LOSE = 'Z',
    DO_FLOOD = 'F',
    DO_STOP_READING = 'S',
    DO_CLOSE = 'C'
};
enum { FLOOD = 100, FLOOD_BYTES = 3000, CPU_BEFORE_US = 1000, CPU_US = 5000, MAXRSS = 7 << 20 };

enum { PLAYERS_MAX = 64 };
static struct player {
    uint64_t cookie, notices;
    int fd;
    bool deaf;
} players[PLAYERS_MAX];
static enum scene scene;

static void tell(unsigned type, uint64_t cookie, int status, const char *text, int fd)
{
    struct wire_control c = {.type = (uint16_t)type,
                             .cookie = cookie,
                             .status = status,
                             .pid = (uint32_t)cookie,
                             .user_us = CPU_BEFORE_US,
                             .system_us = CPU_US,
                             .maxrss = MAXRSS};
    if (wire_control_send(WIRE_FD, &c, text, (int[WIRE_CTL_FDS]){fd, -1}) < 0)
        _exit(0);
}

static void play_frame(struct player *p, unsigned type, uint64_t id, const void *payload,
                       size_t len)
{
    buf_auto out = BUF_INIT;
    wire_frame_append(&out, type, 0, id, payload, len);
    if (send(p->fd, out.data, out.len, MSG_NOSIGNAL) < 0)
        return; /* the other side has closed */
}

static void play_ready(struct player *p)
{
    const struct wire_ready ready = {CPU_BEFORE_US, (uint32_t)p->cookie};
    uint8_t bytes[WIRE_READY_SIZE];
    wire_ready_encode(&ready, bytes);
    play_frame(p, WIRE_READY, 0, bytes, sizeof(bytes));
}

static void play_log(struct player *p, size_t len)
{
    char record[FLOOD_BYTES] = {1};
    memset(record + 5, 'x', sizeof(record) - 5);
    record[1] = (char)((len - 5) & 0xff);
    record[2] = (char)((len - 5) >> 8);
    play_frame(p, WIRE_LOG, ++p->notices, record, len);
}

static void play_exited(struct player *p, int status)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
    tell(WIRE_CTL_EXITED, p->cookie, status, NULL, -1);
    p->cookie = 0;
}

static void play_result(struct player *p)
{
    char result[WIRE_STATS_SIZE + 4] = {0};
    memcpy(result + WIRE_STATS_SIZE, "null", 4);
    play_frame(p, WIRE_RESULT, 0, result, sizeof(result));
}

static void play_command(struct player *p, char what)
{
    switch (what) {
    case DO_LOG:
        play_log(p, 20);
        break;
    case DO_RESULT:
        play_result(p);
        play_exited(p, 0);
        break;
    case DO_GARBAGE:
        if (send(p->fd, "this is no frame, and long enough", 33, MSG_NOSIGNAL) < 0)
            return;
        break;
    case DO_BEHIND:
        play_result(p);
        play_log(p, 20);
        break;
    case DO_READY:
        play_ready(p);
        break;
    case DO_EXIT:
        play_log(p, 20);
        play_exited(p, SIGSEGV);
        break;
    case DO_LOSE:
        _exit(0);
    case DO_FLOOD:
        for (int i = 0; i < FLOOD; i++)
            play_log(p, FLOOD_BYTES);
        break;
    case DO_STOP_READING:
        p->deaf = true;
        break;
    case DO_CLOSE:
        close(p->fd);
        p->fd = -1;
        break;
    default:
        break;
    }
}

static struct player *player_of(uint64_t cookie)
{
    for (int i = 0; i < PLAYERS_MAX; i++)
        if (players[i].cookie == cookie)
            return &players[i];
    return NULL;
}

static void play_spawn(uint64_t cookie, int fd)
{
    static int spawns;
    struct player *p = player_of(0);
    enum scene now = ++spawns == 1 ? scene : SCENE_FINE;
    if (now == SCENE_NO_FORK) {
        tell(WIRE_CTL_FAILED, cookie, EAGAIN, NULL, fd);
        close(fd);
        return;
    }
    if (p == NULL || fd < 0)
        _exit(3);
    *p = (struct player){.cookie = cookie, .fd = fd};
    if (now == SCENE_STILLBORN) {
        play_exited(p, SIGKILL);
    } else if (now == SCENE_LOCKFAIL) {
        play_frame(p, WIRE_LOCKFAIL, 0, "\1\0\0\0no seccomp", 14);
        play_exited(p, 1 << 8);
    } else {
        play_ready(p);
    }
    if (now == SCENE_IMPATIENT)
        play_log(p, 20);
    if (now == SCENE_READY_GONE || now == SCENE_TWICE)
        play_exited(p, 0);
    if (now == SCENE_TWICE)
        tell(WIRE_CTL_EXITED, cookie, 0, NULL, -1);
    if (now == SCENE_LATE) {
        usleep(10000); /* so that READY is read first */
        tell(WIRE_CTL_FAILED, cookie, EAGAIN, NULL, fd);
    }
}

static void play_control(void)
{
    struct wire_control c;
    char text[WIRE_CTL_TEXT_MAX];
    int fds[WIRE_CTL_FDS];
    if (wire_control_receive(WIRE_FD, &c, text, fds) <= 0)
        _exit(0);
    if (fds[WIRE_CTL_CGROUP] >= 0)
        close(fds[WIRE_CTL_CGROUP]);
    struct player *p = player_of(c.cookie);
    if (c.type == WIRE_CTL_SPAWN)
        play_spawn(c.cookie, fds[WIRE_CTL_SOCKET]);
    else if (c.type == WIRE_CTL_KILL && p != NULL)
        play_exited(p, SIGKILL);
}

static void play_up(void)
{
    struct wire_control c;
    char text[WIRE_CTL_TEXT_MAX];
    int fds[WIRE_CTL_FDS];
    if (wire_control_receive(WIRE_FD, &c, text, fds) <= 0 || c.type != WIRE_CTL_SETUP)
        _exit(2);
    scene = (enum scene)c.memory_max;
    if (scene == SCENE_EXITS)
        _exit(1);
    if (scene == SCENE_DOWN)
        tell(WIRE_CTL_DOWN, 0, 0, "no user namespaces here", -1);
    else if (scene == SCENE_OTHER)
        tell(WIRE_CTL_EXITED, 1, 0, NULL, -1);
    else
        tell(WIRE_CTL_UP, 0, 0, "[{\"layer\":\"none\",\"state\":\"off\"}]", -1);
}

static _Noreturn void zygote_main(void)
{
    play_up();
    for (;;) {
        struct pollfd polls[1 + PLAYERS_MAX] = {{WIRE_FD, POLLIN, 0}};
        for (int i = 0; i < PLAYERS_MAX; i++)
            polls[1 + i] = (struct pollfd){
                players[i].cookie != 0 && !players[i].deaf ? players[i].fd : -1, POLLIN, 0};
        if (poll(polls, countof(polls), -1) < 0)
            _exit(4);
        for (int i = 0; i < PLAYERS_MAX; i++) {
            char what;
            if (polls[1 + i].revents == 0 || players[i].fd < 0)
                continue;
            if (read(players[i].fd, &what, 1) == 1)
                play_command(&players[i], what);
            else
                players[i].deaf = true; /* closed: KILL or the end follows */
        }
        if (polls[0].revents != 0)
            play_control();
    }
}

/* ==== the supervisor ========================================================================== */

static struct loop *loop;
static char self[4096];

struct user {
    struct executor_user user; /* first: cast back */
    struct executor *executor;
    int ready, frames, violated, exited;
    unsigned last_type;
    struct executor_exit how;
    char why[128];
};

static void on_ready(struct executor_user *user, struct executor *executor)
{
    struct user *u = (struct user *)user;
    u->ready++;
    u->executor = executor;
}

static void on_frame(struct executor_user *user, const struct wire_header *header,
                     const uint8_t *payload)
{
    struct user *u = (struct user *)user;
    (void)payload;
    u->frames++;
    u->last_type = header->type;
}

static void on_violated(struct executor_user *user, const char *why)
{
    struct user *u = (struct user *)user;
    u->violated++;
    snprintf(u->why, sizeof(u->why), "%s", why);
}

static void on_exited(struct executor_user *user, const struct executor_exit *how)
{
    struct user *u = (struct user *)user;
    u->exited++;
    u->executor = NULL;
    u->how = *how;
}

#define USER                                                                                       \
    {                                                                                              \
        .user = {                                                                                  \
            .ready = on_ready,                                                                     \
            .frame = on_frame,                                                                     \
            .violated = on_violated,                                                               \
            .exited = on_exited                                                                    \
        }                                                                                          \
    }

/* Runs the loop until *what is at least `least`; false after half a minute. */
struct waiting {
    const int *what;
    int least;
    int64_t until;
    struct loop_timer timer;
};

static void look(struct loop_timer *timer)
{
    struct waiting *w = timer->arg;
    if (*w->what >= w->least || clock_monotonic_us() > w->until)
        loop_stop(loop);
    else
        loop_timer_set(loop, &w->timer, 1000);
}

static bool comes(const int *what, int least)
{
    struct waiting w = {what, least, clock_monotonic_us() + 30 * CLOCK_SECOND, {.fn = look}};
    w.timer.arg = &w;
    loop_timer_set(loop, &w.timer, 0);
    loop_run(loop);
    return *what >= least;
}

static void settle(int64_t us)
{
    static const int never;
    struct waiting w = {&never, 1, clock_monotonic_us() + us, {.fn = look}};
    w.timer.arg = &w;
    loop_timer_set(loop, &w.timer, 0);
    loop_run(loop);
}

static struct executors *open_at(const char *path, enum scene play, const char *ready,
                                 const char *rate, struct error *err)
{
    error_auto ignored = ERROR_INIT;
    setenv("C9D_EXECUTORS_READY", ready, 1);
    setenv("C9D_EXECUTORS_RATE", rate, 1);
    struct config *config = config_load(NULL, &ignored);
    config_declare(config, executors_keys, executors_keys_n, &ignored);
    ok(executors_strict(config), "strict is what is not said otherwise");
    autofree char *layers = NULL;
    struct executors *x = executors_new(config, path, false, play, &layers, err);
    config_free(config);
    if (x != NULL && strstr(layers, "\"layer\":\"none\"") == NULL)
        ok(false, "the zygote's layers are told: %s", layers);
    return x;
}

static struct executors *opened(enum scene play, const char *ready, const char *rate)
{
    error_auto err = ERROR_INIT;
    struct executors *x = open_at(self, play, ready, rate, &err);
    if (x == NULL || executors_attach(x, loop, &err) < 0) {
        printf("Bail out! %s\n", err.message);
        exit(1);
    }
    return x;
}

static void command(struct user *u, char what)
{
    buf_append_char(executor_out(u->executor), what);
    executor_flush(u->executor);
}

static void test_refused(void)
{
    static const struct {
        enum scene play;
        const char *says, *what;
    } rows[] = {
        {SCENE_DOWN, "no user namespaces here", "a zygote that says why it cannot go on"},
        {SCENE_EXITS, "ended before it was up", "one that ends"},
        {SCENE_OTHER, "something else than UP", "one that speaks out of order"},
    };
    for (size_t i = 0; i < countof(rows); i++) {
        error_auto err = ERROR_INIT;
        struct executors *x = open_at(self, rows[i].play, "1", "1MiB", &err);
        ok(x == NULL && err.code == E_SANDBOX_UNAVAILABLE &&
               strstr(err.message, rows[i].says) != NULL,
           "%s is refused: %s", rows[i].what, err.message);
    }
    error_auto err = ERROR_INIT;
    struct executors *x = open_at("/nonexistent/c9d-zygote", SCENE_FINE, "1", "1MiB", &err);
    ok(x == NULL && err.code == E_SANDBOX_UNAVAILABLE &&
           strstr(err.message, "/nonexistent/c9d-zygote") != NULL,
       "one that is not there is named: %s", err.message);
}

static void test_one(void)
{
    struct executors *x = opened(SCENE_FINE, "1", "1MiB");
    struct user u = USER, second = USER;
    executors_ask(x, &u.user);
    ok(comes(&u.ready, 1), "whoever asks is given an executor");
    executor_payload_limit(u.executor, 1 << 20);
    ok(executor_pid(u.executor) != 0, "with its pid");
    command(&u, DO_LOG);
    ok(comes(&u.frames, 1) && u.last_type == WIRE_LOG, "and its frames");
    ok(executor_cpu_now(u.executor) >= 0, "the kernel tells its CPU time while it runs");
    executor_pause(u.executor, true);
    command(&u, DO_LOG);
    settle(50000);
    is_int(u.frames, 1, "paused, it is not read");
    executor_pause(u.executor, false);
    ok(comes(&u.frames, 2), "and what it said then is not lost");
    executor_hand_over(u.executor, &second.user);
    second.executor = u.executor;
    command(&second, DO_RESULT);
    ok(comes(&second.exited, 1) && second.frames == 1 && second.last_type == WIRE_RESULT,
       "handed over, another hears its result and its end");
    ok(u.frames == 2 && u.exited == 0, "and the first nothing more");
    ok(!second.how.lost && second.how.status == 0 && second.how.cpu_us == CPU_US &&
           second.how.maxrss == MAXRSS,
       "what it used is told, without what it took to be ready");
    struct user third = USER;
    executors_ask(x, &third.user);
    ok(comes(&third.ready, 1), "the next one is ready");
    executor_payload_limit(third.executor, 1 << 20);
    command(&third, DO_EXIT);
    ok(comes(&third.exited, 1) && third.frames == 1,
       "what it said before it crashed is heard, then its end");
    ok(WIFSIGNALED(third.how.status) && WTERMSIG(third.how.status) == SIGSEGV, "and how it ended");
    executors_free(x);
}

static void test_killed(void)
{
    struct executors *x = opened(SCENE_FINE, "0", "1MiB");
    struct user u = USER, deaf = USER, quiet = USER;
    executors_ask(x, &u.user);
    ok(comes(&u.ready, 1), "with none kept ready, one is made");
    executor_kill(u.executor);
    executor_kill(u.executor);
    ok(comes(&u.exited, 1) && WTERMSIG(u.how.status) == SIGKILL, "killed, it ends once");
    executors_ask(x, &deaf.user);
    comes(&deaf.ready, 1);
    command(&deaf, DO_STOP_READING);
    settle(20000);
    autofree char *much = xcalloc(1, 4 << 20);
    executor_send_frame(deaf.executor, WIRE_DELTA, 0, 1, much, 4 << 20);
    executor_flush(deaf.executor);
    settle(20000);
    ok(executor_unsent(deaf.executor) > 0, "what it does not read waits, and is counted");
    executor_kill(deaf.executor);
    ok(comes(&deaf.exited, 1), "and does not keep it from being ended");
    executors_ask(x, &quiet.user);
    comes(&quiet.ready, 1);
    executor_payload_limit(quiet.executor, 1 << 20);
    command(&quiet, DO_LOG);
    comes(&quiet.frames, 1);
    executor_deafen(quiet.executor);
    executor_kill(quiet.executor);
    ok(comes(&quiet.exited, 1) && quiet.frames == 1, "of a deafened one the end alone is heard");
    executors_ask(x, &u.user);
    comes(&u.ready, 2);
    command(&u, DO_CLOSE);
    settle(50000);
    is_int(u.exited, 1, "an end of file is not the end: that is the zygote's to tell");
    executor_kill(u.executor);
    ok(comes(&u.exited, 2), "and it comes");
    is_int((int)executors_alive(x), 0, "then nobody is left");
    executors_free(x);
}

static void violates(struct executors *x, char what, uint64_t limit, int frames, const char *says,
                     const char *name)
{
    struct user u = USER;
    executors_ask(x, &u.user);
    comes(&u.ready, 1);
    executor_payload_limit(u.executor, limit);
    command(&u, what);
    ok(comes(&u.exited, 1) && u.violated == 1 && u.frames == frames &&
           strstr(u.why, says) != NULL && WTERMSIG(u.how.status) == SIGKILL,
       "%s: it is killed, and why is told", name);
    if (strstr(u.why, says) == NULL)
        note("%s", u.why);
}

static void test_violations(void)
{
    struct executors *x = opened(SCENE_FINE, "2", "1MiB");
    violates(x, DO_GARBAGE, 1 << 20, 0, "", "what is no frame");
    violates(x, DO_BEHIND, 1 << 20, 1, "final", "a frame behind the final one");
    violates(x, DO_READY, 1 << 20, 0, "out of order", "READY once more");
    violates(x, DO_LOG, 8, 0, "", "a frame beyond the limit");
    executors_free(x);
}

static void test_line(void)
{
    struct executors *x = opened(SCENE_FINE, "0", "1MiB");
    struct user users[10];
    int all = 0;
    for (size_t i = 0; i < countof(users); i++) {
        users[i] = (struct user)USER;
        executors_ask(x, &users[i].user);
    }
    executors_unask(x, &users[3].user);
    executors_unask(x, &users[9].user);
    executors_unask(x, &users[9].user);
    for (size_t i = 0; i < 9; i++)
        all += i == 3 || comes(&users[i].ready, 1);
    is_int(all, 9, "all who wait in line are given one");
    ok(users[3].ready == 0 && users[9].ready == 0, "but those who left it");
    executors_free(x);
    int ended = 0;
    for (size_t i = 0; i < countof(users); i++)
        ended += users[i].exited;
    is_int(ended, 0, "when all is freed nobody is told");
}

static void test_rate(void)
{
    struct executors *x = opened(SCENE_FINE, "1", "64KiB");
    struct user u = USER;
    executors_ask(x, &u.user);
    comes(&u.ready, 1);
    executor_payload_limit(u.executor, 1 << 20);
    int64_t began = clock_monotonic_us();
    command(&u, DO_FLOOD);
    ok(comes(&u.frames, FLOOD), "who says much is heard");
    /* 300,000 bytes and 25,600 for the frames; 262,144 may come at once. */
    ok(clock_monotonic_us() - began > CLOCK_SECOND / 2, "but no faster than the rate allows");
    is_int(u.violated, 0, "and it is no violation");
    executors_free(x);
}

static void test_lost(void)
{
    struct executors *x = opened(SCENE_FINE, "1", "1MiB");
    struct user u = USER, other = USER, next = USER;
    executors_ask(x, &u.user);
    executors_ask(x, &other.user);
    ok(comes(&u.ready, 1) && comes(&other.ready, 1), "two run");
    command(&u, DO_LOSE);
    ok(comes(&u.exited, 1) && comes(&other.exited, 1) && u.how.lost && other.how.lost,
       "when the zygote ends both are lost, and it is said that it was not their fault");
    executors_ask(x, &next.user);
    ok(comes(&next.ready, 1), "a new zygote is started, and whoever asks is served");
    executors_free(x);
}

/* Who can use one that is not there yet has it at once, and what was sent is found. */
static void test_early(enum scene play, const char *what)
{
    struct executors *x = opened(play, "0", "1MiB");
    struct user u = USER, killed = USER;
    u.user.early = killed.user.early = true;
    executors_ask(x, &u.user);
    is_int(u.ready, 1, "%s: who needs not wait has an executor at once", what);
    executor_payload_limit(u.executor, 1 << 20);
    command(&u, DO_LOG);
    command(&u, DO_RESULT);
    ok(comes(&u.exited, 1) && u.frames == 2 && u.violated == 0 && !u.how.lost &&
           u.how.cpu_us == CPU_US,
       "%s: it finds what was sent before it was there", what);
    executors_ask(x, &killed.user);
    executor_kill(killed.executor);
    ok(comes(&killed.exited, 1) && !killed.how.lost && WTERMSIG(killed.how.status) == SIGKILL,
       "%s: and may be killed before it is there", what);
    executors_free(x);
}

/* Something is wrong with the first executor: whoever asks gets another one. On a busy machine that
 * may be the first still, which is lost with its zygote. */
static void goes_on(enum scene play, const char *what)
{
    struct executors *x = opened(play, "1", "1MiB");
    struct user u;
    bool came;
    settle(20000);
    do {
        u = (struct user)USER;
        executors_ask(x, &u.user);
        if ((came = comes(&u.ready, 1))) {
            executor_payload_limit(u.executor, 1 << 20);
            command(&u, DO_RESULT);
        }
    } while (came && comes(&u.exited, 1) && u.how.lost);
    ok(came, "%s: others are made", what);
    ok(u.exited == 1 && u.frames == 1 && !u.how.lost && u.violated == 0, "%s: and they work", what);
    executors_free(x);
}

int main(int argc, char **argv)
{
    if (argc == 1 && strcmp(argv[0], "c9d-zygote") == 0)
        zygote_main();
    error_auto err = ERROR_INIT;
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    log_setup(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    loop = loop_new(&err);
    test_refused();
    test_one();
    test_killed();
    test_violations();
    test_line();
    test_rate();
    test_lost();
    test_early(SCENE_FINE, "early");
    test_early(SCENE_NO_FORK, "early, at the second attempt");
    goes_on(SCENE_NO_FORK, "no process can be forked");
    goes_on(SCENE_STILLBORN, "it ends before it is ready");
    goes_on(SCENE_LOCKFAIL, "it cannot lock itself down");
    goes_on(SCENE_TWICE, "its end comes twice");
    goes_on(SCENE_LATE, "it is said not to be there when it is");
    goes_on(SCENE_IMPATIENT, "it speaks before it is asked");
    goes_on(SCENE_READY_GONE, "it ends while it waits");
    loop_free(loop);
    executors_free(NULL);
    return done_testing();
}
