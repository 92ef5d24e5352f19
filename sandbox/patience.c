/* A POSIX timer on the executor's CPU clock, owned by the zygote: the kernel looks at it when it
 * counts the executor's time anyway, and nothing is polled. */
#include "sandbox/patience.h"

#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { WEIGHT_LEAST = 19 }; /* nice */

/* What clock_getcpuclockid(3) gives; the numbers are the kernel's (include/linux/posix-timers.h).
 */
static long clock_of(pid_t pid)
{
    return (long)(int)(~(unsigned)pid << 3 | 2);
}

int patience_begin(pid_t pid)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = PATIENCE_SIGNAL,
                             .sigev_value = {.sival_int = pid}};
    struct itimerspec when = {.it_value = {.tv_nsec = PATIENCE_US * 1000}};
    int timer;
    if (syscall(SYS_timer_create, clock_of(pid), &event, &timer) < 0)
        return -1;
    if (syscall(SYS_timer_settime, timer, TIMER_ABSTIME, &when, NULL) == 0)
        return timer;
    patience_end(timer);
    return -1;
}

void patience_end(int timer)
{
    if (timer >= 0)
        syscall(SYS_timer_delete, timer);
}

void patience_over(const struct signalfd_siginfo *info, int timer)
{
    if (timer >= 0 && (uint32_t)timer == info->ssi_tid)
        setpriority(PRIO_PROCESS, (id_t)info->ssi_int,
                    WEIGHT_LEAST); /* not had: it goes on as it is */
}
