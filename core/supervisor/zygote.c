/* The zygote: its process, its control socket, and the news that come from it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/log.h"
#include "supervisor/executors-private.h"

enum {
    UP_TIMEOUT_MS = 10000,     /* a zygote that is not up by then never will be */
    RESTART_MAX_US = 10000000, /* the pause before another start is doubled up to this */
    HUNG_US = 30000000,        /* a zygote that owes an answer is killed when silent for so long */
};

static void control_event(struct loop_watch *watch, uint32_t events);

/* ---- its process ----------------------------------------------------------------------------- */

/* fork+exec with an empty environment and nothing but the control socket and stderr. */
static int zygote_exec(struct executors *x, int child_end, struct error *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    char *argv[] = {(char *)"c9d-zygote", NULL}, *envp[] = {NULL};
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, child_end, WIRE_FD);
    posix_spawn_file_actions_addclosefrom_np(&actions, WIRE_FD + 1);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    int failed = posix_spawn(&x->zygote, x->path, &actions, &attr, argv, envp);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    if (failed == 0)
        return 0;
    errno = failed;
    return error_errno(err, E_SANDBOX_UNAVAILABLE, "cannot start %s", x->path);
}

/* Waits for UP; a text is left in text. */
static int zygote_await(struct executors *x, char text[WIRE_CTL_TEXT_MAX], struct error *err)
{
    struct pollfd p = {.fd = x->control, .events = POLLIN};
    if (poll(&p, 1, UP_TIMEOUT_MS) <= 0)
        return error_set(err, E_SANDBOX_UNAVAILABLE, "%s did not come up within %d s", x->path,
                         UP_TIMEOUT_MS / 1000);
    struct wire_control c;
    int fds[WIRE_CTL_FDS];
    int got = wire_control_receive(x->control, &c, text, fds);
    for (int i = 0; i < WIRE_CTL_FDS; i++) /* nobody waits for one yet */
        cleanup_fd(&fds[i]);
    if (got < 0)
        return error_errno(err, E_SANDBOX_UNAVAILABLE, "%s: bad first message", x->path);
    if (got == 0)
        return error_set(err, E_SANDBOX_UNAVAILABLE, "%s ended before it was up", x->path);
    if (c.type == WIRE_CTL_UP)
        return 0;
    return error_set(err, E_SANDBOX_UNAVAILABLE, "%s",
                     c.type == WIRE_CTL_DOWN ? text : "the zygote sent something else than UP");
}

/* Executors go on without leaves. */
void cgroup_give_up(struct executors *x, const char *what)
{
    log_warn("cgroup.lost", "%s: %s; executors have no cgroup of their own from now on", what,
             strerror(errno));
    free(x->no_cgroup);
    x->no_cgroup = xasprintf("%s: %s", what, strerror(errno));
    struct executor *e, *tmp;
    HASH_ITER(hh, x->all, e, tmp)
    {
        if (e->leaf != NULL)
            cgroup_leaf_give(x->cgroup, move_ptr(&e->leaf));
    }
    cgroup_close(move_ptr(&x->cgroup));
}

/* The zygote's report, with what the supervisor does for its executors. */
static char *layers_with_cgroup(const struct executors *x, const char *layers)
{
    size_t len = strlen(layers);
    return xasprintf(
        "%.*s,{\"layer\":\"cgroup\",\"state\":\"%s\",\"detail\":\"%s\",\"required\":false,"
        "\"why\":\"one for each executor: what it holds beside Lua's memory is bounded too\"}]",
        (int)(len > 0 ? len - 1 : 0), layers, x->cgroup != NULL ? "on" : "off",
        x->cgroup != NULL ? cgroup_controllers(x->cgroup) : x->no_cgroup);
}

int zygote_start(struct executors *x, char **layers_r, struct error *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, E_SANDBOX_UNAVAILABLE, "socketpair");
    int failed = zygote_exec(x, pair[1], err);
    close(pair[1]);
    x->control = pair[0];
    struct wire_control setup = {.type = WIRE_CTL_SETUP,
                                 .version = WIRE_VERSION,
                                 .flags = x->strict ? WIRE_SETUP_STRICT : 0,
                                 .memory_max = (uint64_t)x->memory_max};
    autofree char *text = xmalloc(WIRE_CTL_TEXT_MAX);
    if (failed == 0 && x->cgroup != NULL && cgroup_zygote_enter(x->cgroup, x->zygote) < 0)
        cgroup_give_up(x, "the zygote's cgroup");
    if (failed == 0 && wire_control_send(x->control, &setup, NULL, NULL) < 0)
        failed = error_errno(err, E_SANDBOX_UNAVAILABLE, "%s: cannot send SETUP", x->path);
    if (failed == 0)
        failed = zygote_await(x, text, err);
    if (failed < 0) {
        close(x->control);
        x->control = -1;
        if (x->zygote > 0) {
            kill(x->zygote, SIGKILL);
            waitpid(x->zygote, NULL, 0);
            x->zygote = 0;
        }
        return -1;
    }
    int flags = fcntl(x->control, F_GETFL);
    fcntl(x->control, F_SETFL, flags | O_NONBLOCK);
    if (x->cgroup != NULL && cgroup_zygote_settle(x->cgroup, x->zygote) < 0)
        cgroup_give_up(x, "the zygote's cgroup");
    if (layers_r != NULL)
        *layers_r = layers_with_cgroup(x, text);
    return 0;
}

int zygote_watch(struct executors *x, struct error *err)
{
    x->watch = (struct loop_watch){.fd = x->control, .fn = control_event, .arg = x};
    return loop_watch_add(x->loop, &x->watch, EPOLLIN, err);
}

static void zygote_kill(struct executors *x)
{
    if (x->zygote > 0)
        kill(x->zygote, SIGKILL); /* the end of its socket tells us */
}

void zygote_hung(struct loop_timer *timer)
{
    log_error("zygote.hung", "it has not answered for %d s; it is killed and started again",
              HUNG_US / 1000000);
    zygote_kill(timer->arg);
}

/* Each packet of the zygote's gives it more time; when it owes nothing, none is measured. */
void zygote_expect(struct executors *x, bool heard)
{
    bool owes = x->control >= 0 && x->n_spawning + x->n_killed > 0;
    if (!owes)
        loop_timer_cancel(x->loop, &x->hung);
    else if (heard || x->hung.place == 0)
        loop_timer_set(x->loop, &x->hung, HUNG_US);
}

/* A descriptor of its cgroup, or -1 when it has none. */
static int executor_leaf(struct executor *e)
{
    struct executors *x = e->owner;
    int fd = e->leaf != NULL ? cgroup_leaf_open(x->cgroup, e->leaf) : -1;
    if (e->leaf != NULL && fd < 0)
        cgroup_give_up(x, "an executor's cgroup");
    return fd;
}

/* True when the socket had room; false: later. What cannot be sent at all ends the zygote. */
static bool control_put(struct executors *x, struct executor *e, unsigned type)
{
    struct wire_control c = {.type = (uint16_t)type, .cookie = e->cookie};
    autofd int leaf = type == WIRE_CTL_SPAWN ? executor_leaf(e) : -1;
    int fds[WIRE_CTL_FDS] = {type == WIRE_CTL_SPAWN ? e->socket : -1, leaf};
    if (wire_control_send(x->control, &c, NULL, fds) == 0) {
        if (type == WIRE_CTL_SPAWN)
            close(move_fd(&e->socket));
        return true;
    }
    if (errno == EAGAIN)
        return false;
    log_error("zygote.send", "%s; the zygote is killed and started again", strerror(errno));
    zygote_kill(x);
    return true;
}

static void control_interest(struct executors *x)
{
    error_auto err = ERROR_INIT;
    uint32_t events = EPOLLIN | (x->unsent != NULL ? EPOLLOUT : 0);
    if (loop_watch_change(x->loop, &x->watch, events, &err) == 0)
        return;
    log_error("zygote.watch", "%s; the zygote is killed and started again", err.message);
    zygote_kill(x);
}

void zygote_untell(struct executor *e)
{
    struct executors *x = e->owner;
    if (e->unsent == 0)
        return;
    *e->unsent_place = e->next_unsent;
    if (e->next_unsent != NULL)
        e->next_unsent->unsent_place = e->unsent_place;
    else
        x->unsent_end = e->unsent_place;
    e->unsent = 0;
}

static void unsent_add(struct executor *e, unsigned type)
{
    struct executors *x = e->owner;
    bool first = x->unsent == NULL;
    e->unsent = type;
    e->next_unsent = NULL;
    e->unsent_place = x->unsent_end;
    *x->unsent_end = e;
    x->unsent_end = &e->next_unsent;
    if (first)
        control_interest(x);
}

/* Many at once (a batch is cancelled, thousands are evicted) are more than the socket holds: they
 * wait for room. A zygote that makes none is hung. */
void zygote_tell(struct executor *e, unsigned type)
{
    struct executors *x = e->owner;
    zygote_expect(x, false);
    if (x->control >= 0 && (x->unsent != NULL || !control_put(x, e, type)))
        unsent_add(e, type);
}

static void control_flush(struct executors *x)
{
    for (struct executor *e; (e = x->unsent) != NULL && control_put(x, e, e->unsent);) {
        bool kill = e->killed && e->unsent == WIRE_CTL_SPAWN;
        zygote_untell(e);
        if (kill)
            unsent_add(e, WIRE_CTL_KILL);
    }
    if (x->unsent == NULL)
        control_interest(x);
}

/* ---- its news -------------------------------------------------------------------------------- */

/* Its socket is back, and all that was written into it: who has its work goes on waiting. */
static void control_failed(struct executors *x, struct executor *e, int failure, int fd)
{
    errno = failure;
    if (e->leaf != NULL)
        cgroup_give_up(x, "forking into a cgroup");
    log_error("zygote.fork", "cannot fork an executor: %s (raise pids.max or TasksMax)",
              strerror(failure));
    e->socket = fd;
    spawn_pause(x);
    if (e->user != NULL) {
        e->refused = true;
        return;
    }
    spawn_over(e);
    executor_free(e);
}

static void spawn_refused(struct executors *x)
{
    struct executor *e, *tmp;
    HASH_ITER(hh, x->all, e, tmp)
    {
        if (!e->refused)
            continue;
        e->refused = false;
        zygote_tell(e, WIRE_CTL_SPAWN);
        if (e->killed && e->unsent == 0)
            zygote_tell(e, WIRE_CTL_KILL);
    }
}

static void control_exited(struct executors *x, struct executor *e, const struct wire_control *c)
{
    /* What it sent before it ended is still in the socket. */
    char peek;
    e->reaped = true;
    while (e->watch.fd >= 0 && !e->killed)
        if (recv(e->watch.fd, &peek, 1, MSG_PEEK | MSG_DONTWAIT) <= 0 || !executor_read_some(e))
            executor_close(e);
    if (e->warming && (e->user == NULL || e->unlocked)) {
        spawn_over(e);
        log_error("executor.start", "an executor ended before it was ready (status 0x%x)",
                  c->status);
        spawn_pause(x);
    }
    uint64_t cpu = c->user_us + c->system_us;
    struct executor_exit how = {
        .lost = e->unlocked,
        .status = c->status,
        .cpu_us = (int64_t)(cpu > e->cpu_before ? cpu - e->cpu_before : 0),
        .maxrss = (int64_t)c->maxrss,
    };
    executor_gone(e, &how);
}

/* The zygote is gone, and by PDEATHSIG all executors are. */
static void zygote_lost(struct executors *x)
{
    int status = 0;
    zygote_kill(x); /* its socket can end before it does, and we must not wait */
    waitpid(x->zygote, &status, 0);
    log_error("zygote.lost",
              "the zygote ended (status 0x%x); its executions start again in a new one", status);
    loop_watch_remove(x->loop, &x->watch);
    close(x->control);
    x->control = -1;
    x->zygote = 0;
    x->n_spawning = 0;
    loop_timer_cancel(x->loop, &x->hung);
    /* Users may ask for a new executor from `exited`: those wait in line. Nothing is spawned yet,
     * and none that is ready lives any more. */
    x->ready = NULL;
    x->n_ready = 0;
    struct executor *e, *tmp;
    HASH_ITER(hh, x->all, e, tmp)
    executor_gone(e, &(struct executor_exit){.lost = true});
    if (x->cgroup != NULL)
        cgroup_zygote_gone(x->cgroup);
    loop_timer_set(x->loop, &x->restart, x->restart_pause);
    x->restart_pause =
        x->restart_pause * 2 < RESTART_MAX_US ? x->restart_pause * 2 : RESTART_MAX_US;
}

static void control_packet(struct executors *x, const struct wire_control *c, const char *text,
                           int *socket)
{
    struct executor *e = NULL;
    uint64_t cookie = c->cookie;
    HASH_FIND(hh, x->all, &cookie, sizeof(cookie), e);
    if (c->type == WIRE_CTL_DOWN) {
        log_error("zygote.down", "%s", text);
    } else if (e == NULL) {
        log_warn("zygote.message", "type %u for an executor that is not there", c->type);
    } else if (c->type == WIRE_CTL_FAILED && e->warming && e->socket < 0 && *socket >= 0) {
        control_failed(x, e, c->status, move_fd(socket));
    } else if (c->type == WIRE_CTL_EXITED && e->socket < 0) {
        control_exited(x, e, c);
    } else {
        log_error("zygote.violation", "type %u out of order; it is killed and started again",
                  c->type);
        zygote_kill(x);
    }
}

static void control_event(struct loop_watch *watch, uint32_t events)
{
    struct executors *x = watch->arg;
    if (events & EPOLLOUT)
        control_flush(x);
    for (int i = 0; i < 64 && x->control >= 0; i++) {
        struct wire_control c;
        char text[WIRE_CTL_TEXT_MAX];
        int fds[WIRE_CTL_FDS];
        int got = wire_control_receive(x->control, &c, text, fds);
        autofd int socket = fds[WIRE_CTL_SOCKET];
        cleanup_fd(&fds[WIRE_CTL_CGROUP]); /* goes the other way only */
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (got <= 0) {
            zygote_lost(x);
            return;
        }
        control_packet(x, &c, text, &socket);
    }
    spawn_more(x);
    zygote_expect(x, true);
}

void zygote_restart(struct loop_timer *timer)
{
    struct executors *x = timer->arg;
    error_auto err = ERROR_INIT;
    if (x->control < 0 && (zygote_start(x, NULL, &err) < 0 || zygote_watch(x, &err) < 0)) {
        log_error("zygote.restart", "%s", err.message);
        loop_timer_set(x->loop, &x->restart, x->restart_pause);
        x->restart_pause =
            x->restart_pause * 2 < RESTART_MAX_US ? x->restart_pause * 2 : RESTART_MAX_US;
        return;
    }
    spawn_refused(x);
    spawn_more(x);
}
