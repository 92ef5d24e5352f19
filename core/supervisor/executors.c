#include "supervisor/executors.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <uthash.h>

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/cgroup.h"

enum {
    UP_TIMEOUT_MS = 10000,     /* a zygote that is not up by then never will be */
    SPAWNING_MAX = 64,         /* SPAWNs under way: more would only wait in the socket */
    RESTART_MIN_US = 100000,   /* pause before a zygote is started again, doubled each time … */
    RESTART_MAX_US = 10000000, /* … up to this */
    HUNG_US = 30000000,        /* a zygote that owes an answer is killed when silent for so long */
    FRAME_COST = 256,          /* bytes that a frame counts for beside its own, against the rate */
    BURST_S = 4,               /* seconds' worth of the rate that may come at once */
    LEAF_SLACK =
        24 << 20, /* of a cgroup: pages of Lua beside its limit, stack, page tables, the socket */
    LOCKDOWN_US = 5000, /* of CPU time at most: who had its work before says late what that took */
    REFILL_US = 5000,   /* while some are forked for those in line, none are for those to come */
    UNSENT_KEEP = 4096  /* a send buffer larger than this is given back when empty */
};

struct executor {
    uint64_t cookie;
    struct loop_watch watch; /* fd -1 until spawned, and after the end of file */
    struct wire_reader reader;
    struct buf out;
    struct executors *owner;
    struct executor_user *user; /* NULL while ready or warming */
    struct executor *next_ready;
    uint64_t cpu_before; /* µs used before START: not the user's */
    bool warming;        /* READY has not come … */
    bool counted;        /* … and it is counted in n_spawning: it was not given away before */
    bool unlocked;       /* LOCKFAIL came: it has read nothing */
    uint32_t pid;        /* as other executors see it */
    pid_t pid_here;      /* as the kernel said to whom its last bytes belong; 0: not known */
    bool final, killed, writing, paused;
    bool reaped;                     /* its pid may be another's by now */
    bool closed;                     /* to reading: paused, or throttled */
    int64_t allowance, allowance_at; /* bytes that it may send; below 0 it is not read */
    bool throttled;
    struct loop_timer slow;
    struct cgroup_leaf *leaf; /* NULL: none */
    int socket;               /* its own end, until the zygote has it; -1 then */
    /* The message to the zygote that its socket had no room for; 0: none. */
    unsigned unsent;
    struct executor *next_unsent, **unsent_place;
    bool refused;      /* it could not be forked: again after a pause */
    UT_hash_handle hh; /* by cookie */
};

struct executors {
    struct loop *loop;
    char *path;
    struct cgroup *cgroup; /* NULL: no leaves for executors */
    char *no_cgroup;       /* why */
    int64_t memory_max, ready_wanted, rate;
    bool strict;
    int control; /* -1 while there is no zygote */
    pid_t zygote;
    struct loop_watch watch;
    struct loop_timer restart, refill;
    int64_t restart_pause;
    uint64_t last_cookie;
    struct executor *all;   /* hash */
    struct executor *ready; /* stack: the warmest first */
    struct executor *unsent,
        **unsent_end; /* their messages, in order: as many as executors at most */
    size_t n_ready, n_spawning, n_killed; /* n_killed: KILL was sent, EXITED has not come */
    struct loop_timer hung;               /* runs while the zygote owes an answer */
    struct executor_user *line, **line_end;
    size_t n_line;
};

const struct config_key executors_keys[] = {
    {"executors", "ready", CONFIG_INT, "4", 0, 1000, NULL,
     "Executors kept forked and locked down ahead of need."},
    {"executors", "rate", CONFIG_SIZE, "16MiB", 4096, 1 << 30, NULL,
     "Bytes a second that one executor may send (four times as many at once, each message counts 256 "
     "more); a faster one is read no faster."},
    {"sandbox", "mode", CONFIG_CHOICE, "strict", 0, 0, "strict|best-effort",
     "Whether a layer of the sandbox that this kernel lacks is fatal."},
};
const size_t executors_keys_n = countof(executors_keys);

static void control_event(struct loop_watch *watch, uint32_t events);
static void executor_event(struct loop_watch *watch, uint32_t events);
static void slow_fire(struct loop_timer *timer);
static void spawn_more(struct executors *x);

/* ---- the zygote ------------------------------------------------------------------------------ */

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
static void cgroup_give_up(struct executors *x, const char *what)
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

static int zygote_start(struct executors *x, char **layers_r, struct error *err)
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

static int zygote_watch(struct executors *x, struct error *err)
{
    x->watch = (struct loop_watch){.fd = x->control, .fn = control_event, .arg = x};
    return loop_watch_add(x->loop, &x->watch, EPOLLIN, err);
}

static void zygote_kill(struct executors *x)
{
    if (x->zygote > 0)
        kill(x->zygote, SIGKILL); /* the end of its socket tells us */
}

static void hung_fire(struct loop_timer *timer)
{
    log_error("zygote.hung", "it has not answered for %d s; it is killed and started again",
              HUNG_US / 1000000);
    zygote_kill(timer->arg);
}

/* Each packet of the zygote's gives it more time; when it owes nothing, none is measured. */
static void zygote_expect(struct executors *x, bool heard)
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

static void unsent_remove(struct executor *e)
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
static void control_send(struct executor *e, unsigned type)
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
        unsent_remove(e);
        if (kill)
            unsent_add(e, WIRE_CTL_KILL);
    }
    if (x->unsent == NULL)
        control_interest(x);
}

/* ---- executors ------------------------------------------------------------------------------- */

static void executor_close(struct executor *e)
{
    if (e->watch.fd < 0)
        return;
    loop_watch_remove(e->owner->loop, &e->watch);
    close(e->watch.fd);
    e->watch.fd = -1;
}

static void executor_unready(struct executor *e)
{
    struct executor **p = &e->owner->ready;
    while (*p != NULL && *p != e)
        p = &(*p)->next_ready;
    if (*p == e) {
        *p = e->next_ready;
        e->owner->n_ready--;
    }
}

static void executor_free(struct executor *e)
{
    executor_close(e);
    executor_unready(e);
    unsent_remove(e);
    if (e->socket >= 0)
        close(e->socket);
    loop_timer_cancel(e->owner->loop, &e->slow);
    if (e->leaf != NULL)
        cgroup_leaf_give(e->owner->cgroup, e->leaf);
    e->owner->n_killed -= e->killed;
    HASH_DEL(e->owner->all, e);
    buf_free(&e->reader.in);
    buf_free(&e->out);
    free(e);
}

static void executor_gone(struct executor *e, const struct executor_exit *how)
{
    struct executor_user *user = e->user;
    e->user = NULL;
    executor_free(e);
    if (user != NULL)
        user->exited(user, how);
}

void executor_limit_memory(struct executor *e, uint64_t bytes)
{
    if (e->leaf != NULL)
        cgroup_leaf_limit(e->owner->cgroup, e->leaf, 2 * bytes + LEAF_SLACK);
}

/* Both ends of its socket are ours until the zygote has the one: what is sent by then waits in it.
 * What it sends comes with its pid. */
static int executor_connect(struct executor *e)
{
    static const int on = 1;
    struct executors *x = e->owner;
    error_auto err = ERROR_INIT;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        log_error("executor.socket", "%s", strerror(errno));
        return -1;
    }
    e->watch = (struct loop_watch){.fd = pair[0], .fn = executor_event, .arg = e};
    e->socket = pair[1];
    if (setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
        log_error("executor.credentials", "%s", strerror(errno));
    if (loop_watch_add(x->loop, &e->watch, EPOLLIN, &err) == 0)
        return 0;
    log_error("executor.watch", "%s", err.message);
    return -1;
}

/* Asking again at once would spin. */
static void spawn_pause(struct executors *x)
{
    if (x->restart.place == 0)
        loop_timer_set(x->loop, &x->restart, RESTART_MIN_US);
}

/* SPAWN is sent; NULL: not now. */
static struct executor *spawn_one(struct executors *x)
{
    struct executor *e = xcalloc(1, sizeof(*e));
    e->cookie = ++x->last_cookie;
    e->owner = x;
    e->watch.fd = e->socket = -1;
    e->warming = true;
    e->reader = (struct wire_reader){.from_executor = true, .limit = 4096};
    e->slow = (struct loop_timer){.fn = slow_fire, .arg = e};
    e->allowance = x->rate * BURST_S;
    e->allowance_at = loop_now(x->loop);
    HASH_ADD(hh, x->all, cookie, sizeof(e->cookie), e);
    if (executor_connect(e) < 0) {
        executor_free(e);
        spawn_pause(x);
        return NULL;
    }
    if (x->cgroup != NULL && (e->leaf = cgroup_leaf_take(x->cgroup)) == NULL)
        cgroup_give_up(x, "an executor's cgroup");
    control_send(e, WIRE_CTL_SPAWN);
    return e;
}

static bool spawn_possible(const struct executors *x)
{
    return x->control >= 0 && x->n_spawning < SPAWNING_MAX && x->restart.place == 0;
}

static void line_remove(struct executors *x, struct executor_user *user)
{
    *user->place_ = user->next_;
    if (user->next_ != NULL)
        user->next_->place_ = user->place_;
    else
        x->line_end = user->place_;
    user->place_ = NULL;
    x->n_line--;
}

static void executor_give(struct executor *e, struct executor_user *user)
{
    e->user = user;
    user->ready(user, e);
}

/* For those in line, then for those to come. Who is in line and can use one that is not there yet
 * gets it at once: it finds its work when it begins. */
static void spawn_more(struct executors *x)
{
    struct executor *e;
    while (spawn_possible(x) && x->line != NULL && x->line->early && (e = spawn_one(x)) != NULL) {
        struct executor_user *user = x->line;
        line_remove(x, user);
        executor_give(e, user);
        loop_timer_set(x->loop, &x->refill, REFILL_US);
    }
    size_t wanted = (x->refill.place == 0 ? (size_t)x->ready_wanted : 0) + x->n_line;
    while (spawn_possible(x) && x->n_ready + x->n_spawning < wanted && (e = spawn_one(x)) != NULL) {
        e->counted = true;
        x->n_spawning++;
        zygote_expect(x, false);
    }
}

static void refill_fire(struct loop_timer *timer)
{
    spawn_more(timer->arg);
}

static void spawn_over(struct executor *e)
{
    e->owner->n_spawning -= e->counted;
    e->counted = false;
}

/* READY came: the first in line gets it, else it waits. */
static void executor_is_ready(struct executor *e, const uint8_t *payload)
{
    struct executors *x = e->owner;
    struct wire_ready ready;
    wire_ready_decode(payload, &ready);
    e->cpu_before = ready.cpu_us < LOCKDOWN_US ? ready.cpu_us : LOCKDOWN_US;
    e->pid = ready.pid;
    e->warming = false;
    spawn_over(e);
    x->restart_pause = RESTART_MIN_US;
    zygote_expect(x, true);
    struct executor_user *user = x->line;
    if (e->user != NULL) {
        ; /* it has its work already */
    } else if (user != NULL) {
        line_remove(x, user);
        executor_give(e, user);
    } else {
        e->next_ready = x->ready;
        x->ready = e;
        x->n_ready++;
    }
    spawn_more(x); /* one fewer is under way: a line longer than SPAWNING_MAX goes on */
}

/* ---- the rate: what one executor can make the engine do is bounded in time, and the others come
 * in between */

static void executor_interest(struct executor *e, bool writing, bool paused);

static void slow_fire(struct loop_timer *timer)
{
    struct executor *e = timer->arg;
    e->throttled = false;
    executor_interest(e, e->writing, e->paused);
}

static void executor_charge(struct executor *e, int64_t bytes)
{
    const struct executors *x = e->owner;
    int64_t now = loop_now(x->loop), since = now - e->allowance_at, most = x->rate * BURST_S;
    if (since < BURST_S * CLOCK_SECOND && since * x->rate / CLOCK_SECOND < most - e->allowance)
        e->allowance += since * x->rate / CLOCK_SECOND;
    else
        e->allowance = most;
    e->allowance_at = now;
    e->allowance -= bytes;
    if (e->allowance >= 0 || e->throttled || e->watch.fd < 0)
        return;
    e->throttled = true;
    executor_interest(e, e->writing, e->paused);
    loop_timer_set(x->loop, &e->slow, -e->allowance * CLOCK_SECOND / x->rate);
}

static void executor_violates(struct executor *e, const char *why)
{
    log_warn("executor.violation", "executor %lu: %s", (unsigned long)e->cookie, why);
    struct executor_user *user = e->user;
    executor_kill(e);
    if (user != NULL && user->violated != NULL)
        user->violated(user, why);
}

static void executor_frame(struct executor *e, const struct wire_header *h, const uint8_t *payload)
{
    if (e->final) {
        executor_violates(e, "a frame after the final one");
    } else if (h->type == WIRE_READY && e->warming) {
        executor_is_ready(e, payload);
    } else if (h->type == WIRE_LOCKFAIL && e->warming) {
        e->final = e->unlocked = true;
        log_error("executor.lockdown", "an executor could not lock itself down: %.*s",
                  (int)(h->length > 4 ? h->length - 4 : 0), (const char *)payload + 4);
    } else if (e->user == NULL || (e->warming && h->type != WIRE_DENIED) || h->type == WIRE_READY ||
               h->type == WIRE_LOCKFAIL) {
        executor_violates(e, "a frame out of order");
    } else {
        e->final = wire_row(h->type)->final;
        e->user->frame(e->user, h, payload);
    }
}

/* Hands over all whole frames. The executor stays allocated: only EXITED frees it. */
static void executor_frames(struct executor *e)
{
    struct wire_header h;
    const uint8_t *payload;
    const char *why;
    int got;
    int64_t frames = 0;
    while (!e->killed && (got = wire_reader_next(&e->reader, &h, &payload, &why)) != 0) {
        if (got < 0) {
            executor_violates(e, why);
            return;
        }
        executor_frame(e, &h, payload);
        frames++;
    }
    executor_charge(e, frames * FRAME_COST);
    if (e->reader.in.len == 0 && e->reader.in.cap > UNSENT_KEEP)
        buf_free(&e->reader.in);
}

/* The kernel's word on who sent it, in our pid namespace: an executor cannot make it another's. */
static pid_t sender_of(struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
            continue;
        struct ucred who;
        memcpy(&who, CMSG_DATA(c), sizeof(who));
        return who.pid;
    }
    return 0;
}

/* One read; level-triggered epoll brings us back. false: end of file or error. */
static bool executor_read_some(struct executor *e)
{
    buf_reserve(&e->reader.in, 2048);
    struct iovec space = {e->reader.in.data + e->reader.in.len,
                          e->reader.in.cap - e->reader.in.len - 1};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct msghdr message = {.msg_iov = &space,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    ssize_t n = recvmsg(e->watch.fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n <= 0)
        return false;
    e->pid_here = sender_of(&message);
    e->reader.in.len += (size_t)n;
    executor_charge(e, n);
    executor_frames(e);
    return true;
}

/* What epoll is to say: kept, so that it is told only of changes. */
static void executor_interest(struct executor *e, bool writing, bool paused)
{
    bool closed = paused || e->throttled;
    e->paused = paused;
    if (writing == e->writing && closed == e->closed)
        return;
    e->writing = writing;
    e->closed = closed;
    error_auto err = ERROR_INIT;
    if (e->watch.fd >= 0 &&
        loop_watch_change(e->owner->loop, &e->watch,
                          (closed ? 0 : EPOLLIN) | (writing ? EPOLLOUT : 0), &err) < 0)
        log_error("executor.watch", "%s", err.message);
}

/* EXITED follows on the control socket; until then it is given to nobody. */
static void executor_end_of_file(struct executor *e)
{
    executor_close(e);
    executor_unready(e);
}

static void executor_event(struct loop_watch *watch, uint32_t events)
{
    struct executor *e = watch->arg;
    if (events & EPOLLOUT)
        executor_flush(e);
    if (e->watch.fd >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !executor_read_some(e))
        executor_end_of_file(e);
}

struct buf *executor_out(struct executor *e)
{
    return &e->out;
}

void executor_send_frame(struct executor *e, unsigned type, unsigned flags, uint64_t id,
                         const void *payload, size_t len)
{
    wire_frame_append(&e->out, type, flags, id, payload, len);
}

void executor_flush(struct executor *e)
{
    if (e->watch.fd < 0 || e->killed) {
        buf_free(&e->out);
        return;
    }
    while (e->out.len > 0) {
        ssize_t n = send(e->watch.fd, e->out.data, e->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            break; /* EAGAIN: EPOLLOUT brings us back; anything else: end of file does */
        buf_consume(&e->out, (size_t)n);
    }
    if (e->out.len == 0 && e->out.cap > UNSENT_KEEP)
        buf_free(&e->out);
    executor_interest(e, e->out.len > 0, e->paused);
}

void executor_pause(struct executor *e, bool paused)
{
    executor_interest(e, e->writing, paused);
}

size_t executor_unsent(const struct executor *e)
{
    return e->out.len;
}

size_t executor_received(const struct executor *e)
{
    return e->reader.in.len;
}

void executor_payload_limit(struct executor *e, uint64_t bytes)
{
    e->reader.limit = bytes < WIRE_PAYLOAD_MAX ? bytes : WIRE_PAYLOAD_MAX;
}

int64_t executor_cpu_now(const struct executor *e)
{
    clockid_t clock;
    struct timespec used;
    if (e->pid_here <= 0 || e->reaped || clock_getcpuclockid(e->pid_here, &clock) != 0 ||
        clock_gettime(clock, &used) < 0)
        return -1;
    int64_t us = used.tv_sec * CLOCK_SECOND + used.tv_nsec / 1000 - (int64_t)e->cpu_before;
    return us > 0 ? us : 0;
}

void executor_hand_over(struct executor *e, struct executor_user *user)
{
    e->user = user;
}

void executor_deafen(struct executor *e)
{
    executor_close(e);
}

uint32_t executor_pid(const struct executor *e)
{
    return e->pid;
}

void executor_kill(struct executor *e)
{
    if (e->killed)
        return;
    e->killed = true;
    e->owner->n_killed++;
    executor_unready(e);
    if (e->unsent == 0 && !e->refused) /* else it is killed as soon as it is there */
        control_send(e, WIRE_CTL_KILL);
}

/* ---- news from the zygote -------------------------------------------------------------------- */

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
        control_send(e, WIRE_CTL_SPAWN);
        if (e->killed && e->unsent == 0)
            control_send(e, WIRE_CTL_KILL);
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

static void restart_fire(struct loop_timer *timer)
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

/* ---- public ---------------------------------------------------------------------------------- */

bool executors_strict(struct config *config)
{
    return strcmp(config_string(config, "sandbox", NULL, "mode"), "strict") == 0;
}

struct executors *executors_new(struct config *config, const char *path, bool strict,
                                int64_t memory_max, char **layers_r, struct error *err)
{
    struct executors *x = xcalloc(1, sizeof(*x));
    x->path = xstrdup(path);
    x->memory_max = memory_max;
    x->ready_wanted = config_int(config, "executors", NULL, "ready");
    x->strict = strict;
    x->rate = config_int(config, "executors", NULL, "rate");
    x->control = -1;
    x->restart_pause = RESTART_MIN_US;
    x->line_end = &x->line;
    x->unsent_end = &x->unsent;
    x->restart.fn = restart_fire;
    x->restart.arg = x;
    x->refill = (struct loop_timer){.fn = refill_fire, .arg = x};
    x->hung.fn = hung_fire;
    x->hung.arg = x;
    x->cgroup = cgroup_open(&x->no_cgroup);
    if (zygote_start(x, layers_r, err) == 0)
        return x;
    cgroup_close(x->cgroup);
    free(x->no_cgroup);
    free(x->path);
    free(x);
    return NULL;
}

int executors_attach(struct executors *x, struct loop *loop, struct error *err)
{
    x->loop = loop;
    if (zygote_watch(x, err) < 0)
        return -1;
    spawn_more(x);
    return 0;
}

void executors_free(struct executors *x)
{
    if (x == NULL)
        return;
    if (x->loop != NULL) {
        loop_timer_cancel(x->loop, &x->restart);
        loop_timer_cancel(x->loop, &x->refill);
        loop_timer_cancel(x->loop, &x->hung);
        if (x->control >= 0)
            loop_watch_remove(x->loop, &x->watch);
    }
    struct executor *e, *tmp;
    HASH_ITER(hh, x->all, e, tmp)
    executor_free(e);
    if (x->control >= 0)
        close(x->control);
    if (x->zygote > 0)
        waitpid(x->zygote, NULL, 0);
    cgroup_close(x->cgroup);
    free(x->no_cgroup);
    free(x->path);
    free(x);
}

void executors_ask(struct executors *x, struct executor_user *user)
{
    struct executor *e = x->ready;
    if (e != NULL) {
        x->ready = e->next_ready;
        x->n_ready--;
        user->place_ = NULL;
        executor_give(e, user);
    } else {
        user->next_ = NULL;
        user->place_ = x->line_end;
        *x->line_end = user;
        x->line_end = &user->next_;
        x->n_line++;
    }
    spawn_more(x);
}

void executors_unask(struct executors *x, struct executor_user *user)
{
    if (user->place_ != NULL)
        line_remove(x, user);
}

size_t executors_alive(const struct executors *x)
{
    return HASH_COUNT(x->all);
}
