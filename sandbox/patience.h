/* Executors that take long take turns: a hundred that burn all they get do not make others wait for
 * theirs among a hundred. An executor that has used PATIENCE_US of CPU time, as most never do,
 * joins a line. Of the line as many run as there are CPUs, the others are stopped; while executions
 * come, one CPU is left to these, and beside those that compute who runs in the line rests every
 * third millisecond. Who was stopped keeps to other CPUs than the
 * zygote. Who is found
 * waiting for something in its turn leaves the line until it burns again. Zygote only, one thread.
 * What cannot be had is done without: it is no part of the isolation. */
#ifndef C9_SANDBOX_PATIENCE_H
#define C9_SANDBOX_PATIENCE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/signalfd.h>
#include <sys/types.h>

enum { PATIENCE_US = 10000 };

/* What tells that an executor has used it: for the zygote's signalfd. */
#define PATIENCE_SIGNAL (SIGRTMIN + 1)

/* Of one child, from fork to reaping. */
struct patience {
    pid_t pid;
    int timer;  /* -1: none */
    bool young; /* nobody looks at its CPU time yet */
    bool in_line, stopped, apart;
    bool ran, lately;    /* in its turn; since the last look */
    uint8_t looks, idle; /* in its turn; the last ones without CPU time */
    int64_t used_us;     /* CPU time at the last look; of a young one: since when */
    struct patience *prev, *next;
};

/* Once, before the syscall policy. 0, or -1 with errno. */
int patience_prepare(void);
void patience_begin(struct patience *p, pid_t pid);
/* In an executor, first of all: what of this the zygote keeps to is not for it. */
void patience_born(void);
/* It was reaped, or nothing was begun. */
void patience_end(struct patience *p);
/* The signal came. p: of the child that it names now, NULL when that is gone; pids are used again.
 */
void patience_over(const struct signalfd_siginfo *info, struct patience *p);
/* Ends what is over. Returns when to call it again, in ms for poll(2); -1: never. */
int patience_turn(void);

#endif
