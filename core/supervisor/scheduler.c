#include "supervisor/scheduler.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/schedule.h"

#define RETRY CLOCK_SECOND /* when the store fails */

struct scheduler {
    struct service *service;
    pthread_t thread;
    int timer, wake;
    atomic_bool stop;
};

/* ---- the two descriptors ---- */

static void scheduler_wake(void *arg)
{
    const struct scheduler *s = arg;
    uint64_t one = 1;
    if (write(s->wake, &one, sizeof(one)) < 0 && errno != EAGAIN)
        log_error("scheduler.wake", "%s", strerror(errno));
}

/* At a wall time; INT64_MAX: never. Setting the clock ends the wait with ECANCELED. */
static void timer_arm(const struct scheduler *s, int64_t at)
{
    struct itimerspec when = {0};
    if (at != INT64_MAX) {
        at = at > 0 ? at : 1; /* zero would disarm it */
        when.it_value.tv_sec = at / CLOCK_SECOND;
        when.it_value.tv_nsec = at % CLOCK_SECOND * 1000;
    }
    if (timerfd_settime(s->timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL) < 0 &&
        errno != ECANCELED)
        log_error("scheduler.timer", "timerfd_settime: %s", strerror(errno));
}

/* True: the clock was set meanwhile. */
static bool scheduler_wait(const struct scheduler *s)
{
    struct pollfd fds[] = {{.fd = s->timer, .events = POLLIN}, {.fd = s->wake, .events = POLLIN}};
    uint64_t count;
    while (poll(fds, countof(fds), -1) < 0 && errno == EINTR)
        continue;
    if (read(s->wake, &count, sizeof(count)) < 0 && errno != EAGAIN)
        log_error("scheduler.wake", "%s", strerror(errno));
    return read(s->timer, &count, sizeof(count)) < 0 && errno == ECANCELED;
}

/* ---- the thread ---- */

static void clock_was_set(const struct scheduler *s)
{
    error_auto err = ERROR_INIT;
    if (schedule_clock_set(s->service, clock_wall_us(), &err) < 0)
        log_error("scheduler.clock", "schedules could not follow the clock: %s", err.message);
}

static void *scheduler_main(void *arg)
{
    struct scheduler *s = arg;
    prctl(PR_SET_NAME, "c9d-scheduler");
    clock_was_set(s);
    while (!atomic_load(&s->stop)) {
        error_auto err = ERROR_INIT;
        int64_t next, now = clock_wall_us();
        if (schedule_fire(s->service, now, &next, &err) < 0) {
            log_error("scheduler.fire", "%s; trying again", err.message);
            next = now + RETRY;
        }
        timer_arm(s, next);
        if (scheduler_wait(s))
            clock_was_set(s);
    }
    return NULL;
}

static void scheduler_free(struct scheduler *s)
{
    if (s->timer >= 0)
        close(s->timer);
    if (s->wake >= 0)
        close(s->wake);
    free(s);
}

struct scheduler *scheduler_start(struct service *service, struct error *err)
{
    sigset_t all, before;
    struct scheduler *s = xcalloc(1, sizeof(*s));
    s->service = service;
    s->timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started =
        s->timer >= 0 && s->wake >= 0 && pthread_create(&s->thread, NULL, scheduler_main, s) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!started) {
        scheduler_free(s);
        error_set(err, E_INTERNAL, "cannot start the scheduler's thread");
        return NULL;
    }
    service_attach_scheduler(service, scheduler_wake, s);
    return s;
}

void scheduler_stop(struct scheduler *s)
{
    if (s == NULL)
        return;
    service_attach_scheduler(s->service, NULL, NULL);
    atomic_store(&s->stop, true);
    scheduler_wake(s);
    pthread_join(s->thread, NULL);
    scheduler_free(s);
}
