/* The table of executors: found by cookie and by pid, also when both collide, and hidden from
 * children. */
#include "tap.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/children.h"

/* Cookies as a hostile choice would have them: many in one bucket. */
static uint64_t cookie_of(int i)
{
    return (uint64_t)i << 47;
}

int main(void)
{
    uint64_t cookie = 0;
    if (!ok(children_set_up() == 0, "the table is there"))
        return done_testing();
    ok(!children_full() && children_pid(7) == 0 && !children_remove(7, &cookie), "and empty");

    int wrong = 0;
    for (int i = 1; i <= CHILDREN_MAX; i++)
        children_add(cookie_of(i), i * 2);
    ok(children_full(), "it holds %d", CHILDREN_MAX);
    for (int i = 1; i <= 8000; i++)
        wrong += children_pid(cookie_of(i)) != i * 2;
    is_int(wrong, 0, "each is found by its cookie");
    for (int i = CHILDREN_MAX; i >= 1; i -= 2)
        wrong += !children_remove(i * 2, &cookie) || cookie != cookie_of(i);
    is_int(wrong, 0, "and by its pid");
    ok(children_pid(cookie_of(CHILDREN_MAX)) == 0 && !children_remove(CHILDREN_MAX * 2, &cookie),
       "the removed are gone");
    ok(children_pid(cookie_of(1)) == 2 && !children_full(), "the others stay");
    for (int i = CHILDREN_MAX; i >= 1; i -= 2)
        children_add(cookie_of(i), i * 2 + 1000001);
    ok(children_full(), "their places are used again");
    is_int(children_pid(cookie_of(CHILDREN_MAX)), CHILDREN_MAX * 2 + 1000001, "by new ones");

    fflush(stdout);
    pid_t pid = fork();
    int status = 0;
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);        /* a sanitizer would report it */
        _exit(children_full() && false); /* does not come to this: the table is not there */
    }
    ok(waitpid(pid, &status, 0) == pid && status != 0, "a forked process does not have it");
    return done_testing();
}
