/* Executors that take long give way to those that do not: a hundred that burn all they get do not
 * make others wait for their turn among a hundred. An executor that has used PATIENCE_US of CPU
 * time gets the lowest weight there is; most are done by then. Zygote only. Where it cannot be had,
 * nothing is demoted: it is no part of the isolation. */
#ifndef C9_SANDBOX_PATIENCE_H
#define C9_SANDBOX_PATIENCE_H

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/types.h>

enum { PATIENCE_US = 10000 };

/* What tells that an executor's time is up: for the zygote's signalfd. */
#define PATIENCE_SIGNAL (SIGRTMIN + 1)

/* For a new child: its timer, to be kept until it is reaped; -1: none. */
int patience_begin(pid_t pid);
void patience_end(int timer); /* -1 does nothing */
/* The signal came. timer: of the child that it names now, -1 when that is gone; pids are used
 * again. */
void patience_over(const struct signalfd_siginfo *info, int timer);

#endif
