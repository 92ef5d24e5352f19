/* A POSIX timer on the executor's CPU clock, owned by the zygote: the kernel looks at it when it
 * counts the executor's time anyway, and nothing is polled while nobody takes long. Weights alone
 * do not do it: a scheduler that owes time to many of little weight makes others wait for them. */
#include "sandbox/patience.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

enum {
    WEIGHT_LEAST = 19, /* nice */
    TURN_US = 20000,
    BURNS_US = TURN_US / 64, /* of CPU time in a turn: less, and it waits for something */
    FRESH_US = 100000        /* after one came, more executions are thought to come */
};

static struct {
    struct patience *line; /* those that run are its first */
    int64_t turn_ends, fresh_until;
    int cpus;
} turns;

int patience_prepare(void)
{
    /* Who is stopped or goes on is no news. */
    struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP};
    cpu_set_t set;
    turns.cpus = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    return sigaction(SIGCHLD, &action, NULL);
}

/* What clock_getcpuclockid(3) gives; the numbers are the kernel's (include/linux/posix-timers.h).
 */
static long clock_of(pid_t pid)
{
    return (long)(int)(~(unsigned)pid << 3 | 2);
}

static int64_t clock_us(long clock)
{
    struct timespec t = {0, 0};
    syscall(SYS_clock_gettime, clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int timer_set(const struct patience *p, int64_t us)
{
    struct itimerspec when = {.it_value = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000}};
    return (int)syscall(SYS_timer_settime, p->timer, TIMER_ABSTIME, &when, NULL);
}

/* ---- the line ---- */

static int places(void)
{
    bool fresh = turns.cpus > 1 && clock_us(CLOCK_MONOTONIC) < turns.fresh_until;
    return turns.cpus - fresh;
}

static void run(struct patience *p)
{
    p->used_us = clock_us(clock_of(p->pid));
    if (p->stopped)
        kill(p->pid, SIGCONT);
    p->stopped = false;
}

static void stop(struct patience *p)
{
    if (!p->stopped)
        kill(p->pid, SIGSTOP);
    p->stopped = true;
}

/* The first in the line run, the others do not: behind one that was stopped before, all are. */
static void line_fill(void)
{
    int n = places();
    for (struct patience *p = turns.line, *next; p != NULL; p = next) {
        next = p->next;
        if (n-- > 0) {
            if (p->stopped)
                run(p);
        } else if (p->stopped) {
            break;
        } else {
            stop(p);
        }
    }
}

static void line_leave(struct patience *p)
{
    if (!p->in_line)
        return;
    DL_DELETE(turns.line, p);
    p->in_line = false;
    if (!p->stopped)
        line_fill();
}

/* Who has waited in its turn leaves; who has burned goes to the end, if another one waits for it.
 */
static void turn_judge(struct patience *p, bool wanted)
{
    int64_t used = clock_us(clock_of(p->pid));
    bool burns = used - p->used_us >= BURNS_US;
    p->used_us = used;
    if (burns && !wanted)
        return;
    DL_DELETE(turns.line, p);
    if (burns) {
        stop(p);
        DL_APPEND(turns.line, p);
    } else {
        p->in_line = false;
        timer_set(p, used + PATIENCE_US);
    }
}

int patience_turn(void)
{
    int64_t now = clock_us(CLOCK_MONOTONIC);
    if (turns.line == NULL)
        return -1;
    if (now >= turns.turn_ends) {
        bool wanted = turns.line->prev->stopped;
        for (struct patience *p = turns.line, *next; p != NULL && !p->stopped; p = next) {
            next = p->next;
            turn_judge(p, wanted);
        }
        line_fill();
        turns.turn_ends = now + TURN_US;
    }
    return turns.line != NULL ? (int)((turns.turn_ends - now) / 1000) + 1 : -1;
}

/* ---- one child ---- */

void patience_begin(struct patience *p, pid_t pid)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = PATIENCE_SIGNAL,
                             .sigev_value = {.sival_int = pid}};
    *p = (struct patience){.pid = pid, .timer = -1};
    turns.fresh_until = clock_us(CLOCK_MONOTONIC) + FRESH_US;
    if (syscall(SYS_timer_create, clock_of(pid), &event, &p->timer) < 0)
        p->timer = -1;
    else if (timer_set(p, PATIENCE_US) < 0)
        patience_end(p);
}

void patience_end(struct patience *p)
{
    line_leave(p);
    if (p->timer >= 0)
        syscall(SYS_timer_delete, p->timer);
    p->timer = -1;
}

void patience_over(const struct signalfd_siginfo *info, struct patience *p)
{
    if (p == NULL || p->timer < 0 || (uint32_t)p->timer != info->ssi_tid || p->in_line)
        return;
    setpriority(PRIO_PROCESS, (id_t)p->pid, WEIGHT_LEAST); /* not had: it goes on as it is */
    if (turns.line == NULL)
        turns.turn_ends = clock_us(CLOCK_MONOTONIC) + TURN_US;
    p->in_line = true;
    stop(p);
    DL_APPEND(turns.line, p);
    line_fill();
}
