/* c9d-zygote: started by the supervisor before its first thread, with the control socket as
 * descriptor 3. It takes no arguments and is of no use by hand. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/zygote.h"
#include "wire/wire.h"

extern char **environ;

/* liblua asks libc for these: for the pivot of table.sort and the seed of its hashes. What a skill
 * computes must not depend on them, and after lock-down the kernel would not answer. The addresses
 * that go into the seed too are random by themselves. */
__attribute__((visibility("default"))) clock_t clock(void)
{
    return 0;
}

__attribute__((visibility("default"))) time_t time(time_t *time_r)
{
    if (time_r != NULL)
        *time_r = 0;
    return 0;
}

#ifdef C9_SANITIZED
/* An executor that looked for a terminal or for its symbols would be ended by its policy before it
 * had reported anything. What touches memory beyond its limit gets a signal, as in other builds. */
#define REPORTING_OPTIONS(runtime)                                                                 \
    const char *__##runtime##_default_options(void);                                               \
    __attribute__((visibility("default"))) const char *__##runtime##_default_options(void)         \
    {                                                                                              \
        return "color=never:symbolize=0:handle_segv=0";                                            \
    }
REPORTING_OPTIONS(asan)
REPORTING_OPTIONS(ubsan)
REPORTING_OPTIONS(tsan)
#endif

/* The strings themselves, too: executors inherit this memory. */
static void forget(char **strings)
{
    for (; *strings != NULL; strings++)
        explicit_bzero(*strings, strlen(*strings));
}

int main(int argc, char **argv)
{
    int type;
    socklen_t len = sizeof(type);
    if (argc != 1 || getsockopt(WIRE_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
        type != SOCK_SEQPACKET) {
        fprintf(stderr, "c9d-zygote: started by c9d only (%d must be its socket)\n", WIRE_FD);
        return 2;
    }
    if (close_range(WIRE_FD + 1, ~0u, 0) < 0)
        return 2;
    forget(environ);
    environ[0] = NULL;
    forget(argv + 1);
    if (getpgrp() != getpid() && setsid() < 0) /* a terminal's ^C is the supervisor's to hear */
        return 2;
    _exit(zygote_main());
}
