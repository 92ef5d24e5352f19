/* A POSIX timer on the executor's CPU clock, owned by the zygote: the kernel looks at it when it
 * counts the executor's time anyway, and nothing is polled while nobody takes long. Who is younger
 * than the CPU time that it may use cannot have used it and has none yet: most never have. Weights
 * do not do it: a scheduler that owes time to many of little weight makes others wait for them, and
 * where it groups by session they count among executors only. */
#include "sandbox/patience.h"

#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

enum {
    LOOK_US = 5000,          /* at what those that run use of the CPUs */
    TURN = 4,                /* looks */
    BURNS_US = LOOK_US / 64, /* of CPU time between two looks: less, and it waits for something … */
    IDLE = 2,                /* … so many times, and it leaves the line … */
    AGAIN_US = 1000,         /* … until it has used as much */
    FRESH_US = 100000,       /* after one came, more executions are thought to come … */
    BESIDE_US = 10000,       /* … and it is thought to compute: who runs in the line … */
    BEAT_US = 1000           /* … rests every third one of these */
};

static struct {
    struct patience *young;   /* in the order they came */
    struct patience *line;    /* those that run are its first */
    int64_t look_at, came_at; /* the next look; the youngest */
    int cpus;
    cpu_set_t all, first, others; /* ours, one of them, the rest */
    bool apart;                   /* the zygote keeps to the first */
} turns;

int patience_prepare(void)
{
    /* Who is stopped or goes on is no news. */
    struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP};
    turns.cpus = 1;
    if (sched_getaffinity(0, sizeof(turns.all), &turns.all) == 0)
        turns.cpus = CPU_COUNT(&turns.all);
    int first = 0;
    while (first < CPU_SETSIZE - 1 && !CPU_ISSET(first, &turns.all))
        first++;
    CPU_SET(first, &turns.first);
    CPU_XOR(&turns.others, &turns.all, &turns.first);
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

/* ---- CPUs: the zygote's and theirs ----
 *
 * Who goes on after SIGCONT has waited long: it interrupts who sent that, and the scheduler lets it
 * run until the next tick, 4 ms where HZ is 250. The zygote, which is to stop it, waits behind it,
 * with all that were about to run there, though other CPUs idle. */

static void cpus_set(pid_t pid, const cpu_set_t *set)
{
    if (turns.cpus > 1)
        syscall(SYS_sched_setaffinity, pid, sizeof(*set), set);
}

static void zygote_apart(bool apart)
{
    if (apart != turns.apart)
        cpus_set(0, apart ? &turns.first : &turns.all);
    turns.apart = apart;
}

/* From its first stop until it leaves the line. */
static void child_apart(struct patience *p, bool apart)
{
    if (apart != p->apart)
        cpus_set(p->pid, apart ? &turns.others : &turns.all);
    p->apart = apart;
}

void patience_born(void)
{
    if (turns.apart)
        cpus_set(0, &turns.all);
}

/* ---- the line ---- */

static int places(int64_t now)
{
    int64_t since = now - turns.came_at;
    if (since < BESIDE_US && now / BEAT_US % 3 == 0)
        return 0;
    return turns.cpus - (turns.cpus > 1 && since < FRESH_US);
}

/* When to fill it again. */
static int64_t line_next(int64_t now)
{
    int64_t beat = (now / BEAT_US + 1) * BEAT_US;
    return now - turns.came_at < BESIDE_US && beat < turns.look_at ? beat : turns.look_at;
}

static void run(struct patience *p)
{
    if (!p->ran)
        p->used_us = clock_us(clock_of(p->pid));
    p->ran = p->lately = true;
    if (p->stopped)
        kill(p->pid, SIGCONT);
    p->stopped = false;
}

static void stop(struct patience *p)
{
    if (p->stopped)
        return;
    child_apart(p, true);
    zygote_apart(true);
    kill(p->pid, SIGSTOP);
    p->stopped = true;
}

/* The first in the line run, the others do not: behind one that did not run before, none did. */
static void line_fill(int64_t now)
{
    int n = places(now);
    for (struct patience *p = turns.line; p != NULL && (n > 0 || p->ran); p = p->next)
        if (n-- > 0)
            run(p);
        else
            stop(p);
}

static void line_append(struct patience *p)
{
    p->ran = p->lately = false;
    p->looks = p->idle = 0;
    DL_APPEND(turns.line, p);
}

static void line_join(struct patience *p)
{
    p->in_line = true;
    if (turns.line != NULL)
        stop(p);
    line_append(p);
}

static void line_leave(struct patience *p)
{
    if (!p->in_line)
        return;
    p->in_line = false;
    DL_DELETE(turns.line, p);
    if (turns.line == NULL)
        zygote_apart(false);
}

/* Who waits leaves; who has burned through its turn goes to the end, if another one waits for it.
 */
static void look(struct patience *p, bool wanted)
{
    int64_t used = clock_us(clock_of(p->pid));
    if (!p->lately)
        return;
    p->lately = !p->stopped;
    p->idle = used - p->used_us < BURNS_US ? p->idle + 1 : 0;
    p->looks++;
    p->used_us = used;
    if (p->idle >= IDLE) {
        line_leave(p);
        child_apart(p, false);
        run(p);
        timer_set(p, used + AGAIN_US);
    } else if (p->looks >= TURN && wanted) {
        DL_DELETE(turns.line, p);
        stop(p);
        line_append(p);
    }
}

static int64_t line_turn(int64_t now)
{
    if (now >= turns.look_at) {
        bool wanted = !turns.line->prev->ran;
        for (struct patience *p = turns.line, *next; p != NULL && p->ran; p = next) {
            next = p->next;
            look(p, wanted);
        }
        turns.look_at = now + LOOK_US;
    }
    line_fill(now);
    return turns.line != NULL ? line_next(now) : INT64_MAX;
}

/* ---- one child ---- */

static void young_leave(struct patience *p)
{
    if (p->young)
        DL_DELETE(turns.young, p);
    p->young = false;
}

static void grow_up(struct patience *p)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = PATIENCE_SIGNAL,
                             .sigev_value = {.sival_int = p->pid}};
    young_leave(p);
    if (syscall(SYS_timer_create, clock_of(p->pid), &event, &p->timer) < 0)
        p->timer = -1;
    else if (timer_set(p, PATIENCE_US) < 0)
        patience_end(p);
}

static int64_t young_turn(int64_t now)
{
    while (turns.young != NULL && now - turns.young->used_us >= PATIENCE_US)
        grow_up(turns.young);
    return turns.young != NULL ? turns.young->used_us + PATIENCE_US : INT64_MAX;
}

int patience_turn(void)
{
    if (turns.line == NULL && turns.young == NULL)
        return -1;
    int64_t now = clock_us(CLOCK_MONOTONIC);
    int64_t next = young_turn(now), look_next = turns.line != NULL ? line_turn(now) : INT64_MAX;
    if (look_next < next)
        next = look_next;
    return next != INT64_MAX ? (int)((next - now) / 1000) + 1 : -1;
}

void patience_begin(struct patience *p, pid_t pid)
{
    int64_t now = clock_us(CLOCK_MONOTONIC);
    *p = (struct patience){.pid = pid, .timer = -1, .young = true, .used_us = now};
    turns.came_at = now;
    DL_APPEND(turns.young, p);
}

void patience_end(struct patience *p)
{
    young_leave(p);
    line_leave(p);
    if (p->timer >= 0)
        syscall(SYS_timer_delete, p->timer);
    p->timer = -1;
}

void patience_over(const struct signalfd_siginfo *info, struct patience *p)
{
    if (p == NULL || p->timer < 0 || (uint32_t)p->timer != info->ssi_tid || p->in_line)
        return;
    if (turns.line == NULL)
        turns.look_at = clock_us(CLOCK_MONOTONIC) + LOOK_US;
    line_join(p);
}
