/* A wall clock that a test can set, without setting the machine's: loaded into the daemon by
 * LD_PRELOAD. The file named by C9_CLOCK holds an int64, by how many nanoseconds the clock is
 * ahead. A timer of the wall clock that was armed before it changed is cancelled, as the kernel
 * does it; the test sees to it that somebody looks. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

static _Atomic int64_t *shared;
static _Atomic int64_t armed; /* how far ahead it was then */
static atomic_int timer = -1;

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("C9_CLOCK");
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *p = fd >= 0 ? mmap(NULL, sizeof(*shared), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (p == MAP_FAILED)
        abort();
    shared = p;
    close(fd);
}

static int64_t ahead(void)
{
    return shared != NULL ? atomic_load(shared) : 0;
}

static struct timespec shifted(struct timespec t, int64_t by)
{
    int64_t ns = t.tv_sec * SECOND + t.tv_nsec + by;
    return (struct timespec){ns / SECOND, ns % SECOND};
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    int result = (int)syscall(SYS_clock_gettime, id, t);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        *t = shifted(*t, ahead());
    return result;
}

time_t time(time_t *t_r)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (t_r != NULL)
        *t_r = t.tv_sec;
    return t.tv_sec;
}

int gettimeofday(struct timeval *restrict t_r, void *restrict zone)
{
    struct timespec t;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &t);
    *t_r = (struct timeval){t.tv_sec, t.tv_nsec / 1000};
    return 0;
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict lock,
                           const struct timespec *restrict until)
{
    static int (*_Atomic real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (real == NULL) /* ThreadSanitizer's, where it is: it must see that the lock is let go */
        real = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlsym(
            RTLD_NEXT, "pthread_cond_timedwait");
    /* A time of the monotonic clock counts from the start of the machine. */
    struct timespec t = until->tv_sec > 1000000000 ? shifted(*until, -ahead()) : *until;
    return real(cond, lock, &t);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
    struct itimerspec t = *when;
    if ((flags & TFD_TIMER_CANCEL_ON_SET) == 0)
        return (int)syscall(SYS_timerfd_settime, fd, flags, when, old);
    atomic_store(&armed, ahead());
    atomic_store(&timer, fd);
    if (t.it_value.tv_sec != 0 || t.it_value.tv_nsec != 0) {
        t.it_value = shifted(t.it_value, -atomic_load(&armed));
        if (t.it_value.tv_sec <= 0)
            t.it_value = (struct timespec){0, 1};
    }
    return (int)syscall(SYS_timerfd_settime, fd, flags, &t, old);
}

ssize_t read(int fd, void *data, size_t len)
{
    if (fd == atomic_load(&timer) && atomic_load(&armed) != ahead()) {
        errno = ECANCELED;
        return -1;
    }
    return syscall(SYS_read, fd, data, len);
}
