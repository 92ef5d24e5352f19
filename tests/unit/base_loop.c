/* The loop: descriptors, timers, posted work, and removal while a turn runs. */
#include "base/loop.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "tap.h"

static struct loop *loop;

static void stop_on_timer(struct loop_timer *timer)
{
    (void)timer;
    loop_stop(loop);
}

/* ---- timers ---- */

enum { TIMERS = 500 };
static struct loop_timer timers[TIMERS];
static int64_t fired_at[TIMERS];
static int fired[TIMERS], n_fired;

static void timer_note(struct loop_timer *timer)
{
    int i = (int)(timer - timers);
    fired[n_fired] = i;
    fired_at[n_fired++] = timer->at;
}

static void test_timers(void)
{
    uint32_t state = 12345;
    int cancelled = 0;
    for (int i = 0; i < TIMERS; i++) {
        timers[i].fn = timer_note;
        state = state * 1664525 + 1013904223;
        loop_timer_set(loop, &timers[i], state % 30000);
    }
    for (int i = 0; i < TIMERS; i += 7)
        loop_timer_set(loop, &timers[i], (i * 37) % 30000); /* re-armed, both ways */
    for (int i = 0; i < TIMERS; i += 3, cancelled++)
        loop_timer_cancel(loop, &timers[i]);
    loop_timer_cancel(loop, &timers[0]);
    struct loop_timer end = {.fn = stop_on_timer};
    loop_timer_set(loop, &end, 40000);
    int64_t start = clock_monotonic_us();
    loop_run(loop);
    ok(clock_monotonic_us() - start >= 39000, "a timer does not fire early");
    bool rising = true, right = true;
    for (int i = 0; i < n_fired; i++) {
        rising &= i == 0 || fired_at[i - 1] <= fired_at[i];
        right &= fired[i] % 3 != 0 && timers[fired[i]].place == 0;
    }
    is_int(n_fired, TIMERS - cancelled, "each timer that was not cancelled fires once");
    ok(rising, "in the order of their times, also when re-armed");
    ok(right, "the cancelled ones do not, and fired ones are not armed");
}

static int ticks;
static void tick(struct loop_timer *timer)
{
    if (++ticks < 5)
        loop_timer_set(loop, timer, 0);
    else
        loop_stop(loop);
}

static struct loop_timer victim;
static void cancel_victim(struct loop_timer *timer)
{
    (void)timer;
    loop_timer_cancel(loop, &victim);
}
static bool victim_fired;
static void victim_fn(struct loop_timer *timer)
{
    (void)timer;
    victim_fired = true;
}

static void test_timer_callbacks(void)
{
    struct loop_timer again = {.fn = tick};
    loop_timer_set(loop, &again, 0);
    loop_run(loop);
    is_int(ticks, 5, "a timer may arm itself again");
    struct loop_timer killer = {.fn = cancel_victim}, end = {.fn = stop_on_timer};
    victim.fn = victim_fn;
    loop_timer_set(loop, &killer, 0);
    loop_timer_set(loop, &victim, 1);
    loop_timer_set(loop, &end, 2);
    usleep(100); /* so that all are due in one turn */
    loop_run(loop);
    ok(!victim_fired, "a timer cancelled by another in the same turn does not fire");
    struct loop_timer never = {.fn = victim_fn};
    loop_timer_set(loop, &never, INT64_MAX);
    loop_timer_set(loop, &end, -5);
    loop_run(loop);
    ok(!victim_fired && never.at == INT64_MAX, "times outside the range are held at its ends");
    loop_timer_cancel(loop, &never);
}

/* ---- descriptors ---- */

struct pipe_watch {
    struct loop_watch watch;
    int write_fd, calls;
    uint32_t events;
    struct pipe_watch *removes;
};

static void pipe_fn(struct loop_watch *watch, uint32_t events)
{
    struct pipe_watch *p = watch->arg;
    char c;
    p->calls++;
    p->events = events;
    if (events & EPOLLIN && read(watch->fd, &c, 1) != 1)
        loop_watch_remove(loop, watch);
    if (p->removes != NULL) {
        loop_watch_remove(loop, &p->removes->watch);
        memset(p->removes, 0xEE, sizeof(*p->removes)); /* its memory is another's now */
    }
    if (events & EPOLLHUP)
        loop_watch_remove(loop, watch);
}

static void pipe_open(struct pipe_watch *p)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        abort();
    *p = (struct pipe_watch){.watch = {.fd = fds[0], .fn = pipe_fn, .arg = p}, .write_fd = fds[1]};
    if (loop_watch_add(loop, &p->watch, EPOLLIN, NULL) < 0)
        abort();
}

static void put(struct pipe_watch *p)
{
    if (write(p->write_fd, "x", 1) != 1)
        abort();
}

static void run_for(int64_t us)
{
    struct loop_timer end = {.fn = stop_on_timer};
    loop_timer_set(loop, &end, us);
    loop_run(loop);
}

static void test_watch(void)
{
    struct pipe_watch p;
    pipe_open(&p);
    put(&p);
    put(&p);
    run_for(5000);
    is_int(p.calls, 2, "level-triggered: called as long as there is something");
    loop_watch_change(loop, &p.watch, 0, NULL);
    put(&p);
    run_for(5000);
    is_int(p.calls, 2, "not called for events that are not asked for");
    loop_watch_change(loop, &p.watch, EPOLLIN, NULL);
    run_for(5000);
    is_int(p.calls, 3, "and called again when they are");
    close(p.write_fd);
    run_for(5000);
    ok(p.calls == 4 && (p.events & EPOLLHUP) && !p.watch.active, "a hang-up is told, once removed");
    loop_watch_remove(loop, &p.watch);
    close(p.watch.fd);
    error_auto err = ERROR_INIT;
    struct loop_watch bad = {.fd = p.watch.fd, .fn = pipe_fn};
    ok(loop_watch_add(loop, &bad, EPOLLIN, &err) < 0 && err.code == E_INTERNAL && !bad.active,
       "a closed descriptor cannot be watched (%s)", err.message);
}

static int64_t watched_at;
static void watch_note(struct loop_watch *watch, uint32_t events)
{
    pipe_fn(watch, events);
    watched_at = clock_monotonic_us();
    loop_stop(loop);
}

static void test_rest(void)
{
    struct pipe_watch p;
    pipe_open(&p);
    put(&p);
    run_for(5000); /* and the loop's clock is of now */
    p.watch.fn = watch_note;
    loop_rest(loop, 30000, CLOCK_SECOND);
    put(&p);
    int64_t from = clock_monotonic_us();
    loop_run(loop);
    ok(watched_at - from >= 30000, "a loop that rests looks for news after its rest");
    loop_rest(loop, 30 * CLOCK_SECOND, 0);
    run_for(5000);
    ok(clock_monotonic_us() - from < 25 * CLOCK_SECOND,
       "and no longer when the time for it is over");
    loop_rest(loop, 0, 0);
    loop_watch_remove(loop, &p.watch);
    close(p.watch.fd);
    close(p.write_fd);
}

/* Each of two neighbours removes the other: only the first to be called may live. */
static void test_remove_neighbour(void)
{
    struct pipe_watch *a = malloc(sizeof(*a)), *b = malloc(sizeof(*b));
    pipe_open(a);
    pipe_open(b);
    int fds[] = {a->watch.fd, b->watch.fd, a->write_fd, b->write_fd};
    a->removes = b;
    b->removes = a;
    put(a);
    put(b);
    run_for(5000);
    bool a_died = memcmp(&a->watch.fd, "\xEE\xEE\xEE\xEE", 4) == 0;
    bool b_died = memcmp(&b->watch.fd, "\xEE\xEE\xEE\xEE", 4) == 0;
    ok(a_died != b_died, "a watch removed by its neighbour in the same turn is not called");
    struct pipe_watch *lives = a_died ? b : a;
    is_int(lives->calls, 1, "and the other was called once");
    loop_watch_remove(loop, &lives->watch);
    for (size_t i = 0; i < countof(fds); i++)
        close(fds[i]);
    free(a);
    free(b);
}

/* A watch that goes, and another at the same address that comes, within one turn. */
static struct pipe_watch seat;
static int spare_fd;
static void reseat(struct loop_watch *watch, uint32_t events)
{
    (void)events;
    char c;
    (void)!read(watch->fd, &c, 1);
    loop_watch_remove(loop, &seat.watch);
    seat.watch.fd = spare_fd;
    seat.calls = 0;
    loop_watch_add(loop, &seat.watch, EPOLLIN, NULL);
}

static void test_reseat(void)
{
    struct pipe_watch first;
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        abort();
    spare_fd = fds[0];
    pipe_open(&first);
    first.watch.fn = reseat;
    put(&first);
    pipe_open(&seat);
    int old_fd = seat.watch.fd;
    put(&seat);
    run_for(5000);
    is_int(seat.calls, 0, "a watch added in the place of a removed one does not get its event");
    loop_watch_remove(loop, &seat.watch);
    loop_watch_remove(loop, &first.watch);
    int all[] = {fds[0], fds[1], old_fd, seat.write_fd, first.watch.fd, first.write_fd};
    for (size_t i = 0; i < countof(all); i++)
        close(all[i]);
}

/* ---- posts ---- */

enum { POSTERS = 3, POSTS = 3000 };
static int next_post[POSTERS], posts_done, out_of_order;

static void post_note(void *arg)
{
    int who = (int)((intptr_t)arg / POSTS), n = (int)((intptr_t)arg % POSTS);
    out_of_order += n != next_post[who]++;
    if (++posts_done == POSTERS * POSTS)
        loop_stop(loop);
}

static void *post_many(void *arg)
{
    for (intptr_t i = 0; i < POSTS; i++)
        loop_post(loop, post_note, (void *)((intptr_t)arg * POSTS + i));
    return NULL;
}

static int nested;
static void post_nested(void *arg)
{
    (void)arg;
    if (++nested < 10)
        loop_post(loop, post_nested, NULL);
    else
        loop_stop(loop);
}

static void *stop_later(void *arg)
{
    (void)arg;
    usleep(10000);
    loop_stop(loop);
    return NULL;
}

static void test_posts(void)
{
    pthread_t threads[POSTERS];
    for (intptr_t i = 0; i < POSTERS; i++)
        pthread_create(&threads[i], NULL, post_many, (void *)i);
    loop_run(loop);
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    ok(posts_done == POSTERS * POSTS && out_of_order == 0,
       "what three threads post runs, each one's in order");
    loop_post(loop, post_nested, NULL);
    loop_run(loop);
    is_int(nested, 10, "posted work may post, and stop");
    pthread_create(&threads[0], NULL, stop_later, NULL);
    loop_run(loop);
    pthread_join(threads[0], NULL);
    ok(true, "another thread stops a loop that sleeps");
    loop_stop(loop);
    loop_run(loop);
    ok(true, "a stop before the start is not lost");
}

static int owned_run;
static void post_owned(void *arg)
{
    owned_run++;
    free(arg);
}

static int dropped;
static void drop_owned(void *arg)
{
    dropped++;
    free(arg);
}

int main(void)
{
    error_auto err = ERROR_INIT;
    loop = loop_new(&err);
    ok(loop != NULL, "a loop is made %s", err.message);
    test_timers();
    test_timer_callbacks();
    test_watch();
    test_rest();
    test_remove_neighbour();
    test_reseat();
    test_posts();
    int64_t now = loop_now(loop);
    ok(now > 0 && now <= clock_monotonic_us(), "loop_now is a time of the monotonic clock");
    loop_post_owned(loop, post_owned, drop_owned, malloc(1));
    loop_post(loop, post_nested, NULL);
    loop_run(loop);
    ok(owned_run == 1 && dropped == 0, "what is posted with its owner runs like any other");
    loop_post(loop, post_nested, NULL);
    loop_post_owned(loop, post_owned, drop_owned, malloc(1));
    loop_free(loop);
    is_int(nested, 11, "work not yet run is dropped with the loop");
    ok(owned_run == 1 && dropped == 1, "what it owned is given back");
    loop_free(NULL);
    return done_testing();
}
