/* One executor: its socket, what it sends, what it is sent. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/executors-private.h"

enum {
    FRAME_COST = 256, /* bytes that a frame counts for beside its own, against the rate */
    LEAF_SLACK =
        24 << 20, /* of a cgroup: pages of Lua beside its limit, stack, page tables, the socket */
    UNSENT_KEEP = 4096 /* a send buffer larger than this is given back when empty */
};

static void executor_event(struct loop_watch *watch, uint32_t events);

/* ---- its life -------------------------------------------------------------------------------- */

void executor_close(struct executor *e)
{
    if (e->watch.fd < 0)
        return;
    loop_watch_remove(e->owner->loop, &e->watch);
    close(e->watch.fd);
    e->watch.fd = -1;
}

void executor_free(struct executor *e)
{
    executor_close(e);
    executor_unready(e);
    zygote_untell(e);
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

void executor_gone(struct executor *e, const struct executor_exit *how)
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
int executor_connect(struct executor *e)
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

/* ---- the rate: what one executor can make the engine do is bounded in time, and the others come
 * in between */

static void executor_interest(struct executor *e, bool writing, bool paused);

void executor_slow_over(struct loop_timer *timer)
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
bool executor_read_some(struct executor *e)
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
        zygote_tell(e, WIRE_CTL_KILL);
}
