/* One function an attempt. They run behind the lock-down, with no more rights than an attacker has;
 * which one is said by START, which the supervisor wrote. */
#include "sandbox/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/vm.h"

/* All give what the system call gives: -1 with errno is a refusal. */
typedef long (*probe_fn)(const struct wire_start *start);

static long probe_open(const struct wire_start *start)
{
    (void)start;
    return syscall(SYS_openat, (long)AT_FDCWD, "/etc/passwd", (long)O_RDONLY, 0L);
}

static long probe_create(const struct wire_start *start)
{
    (void)start;
    return syscall(SYS_mkdirat, (long)AT_FDCWD, "/new", 0700L);
}

static long probe_connect(const struct wire_start *start)
{
    struct sockaddr_in discard = {
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    (void)start;
    long fd = syscall(SYS_socket, (long)AF_INET, (long)SOCK_DGRAM, 0L);
    return fd < 0 ? fd : syscall(SYS_connect, fd, &discard, sizeof(discard));
}

static long probe_fork(const struct wire_start *start)
{
    (void)start;
    long pid = syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);
    if (pid == 0)
        _exit(0);
    return pid;
}

static long probe_exec(const struct wire_start *start)
{
    static const char *const argv[] = {"/bin/sh", NULL};
    (void)start;
    return syscall(SYS_execve, argv[0], argv, NULL);
}

static long probe_ptrace(const struct wire_start *start)
{
    return syscall(SYS_ptrace, (long)PTRACE_ATTACH, (long)start->probe_pid, 0L, 0L);
}

static long probe_exec_memory(const struct wire_start *start)
{
    (void)start;
    return syscall(SYS_mmap, 0L, 4096L, (long)(PROT_READ | PROT_WRITE | PROT_EXEC),
                   (long)(MAP_PRIVATE | MAP_ANONYMOUS), -1L, 0L);
}

static long probe_send_other(const struct wire_start *start)
{
    (void)start;
    return syscall(SYS_write, (long)WIRE_FD + 1, "x", 1L);
}

static long probe_signal(const struct wire_start *start)
{
    return syscall(SYS_kill, (long)start->probe_pid, (long)SIGKILL);
}

static long probe_read_memory(const struct wire_start *start)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {(void *)(uintptr_t)start, 1}; /* its layout is ours */
    return syscall(SYS_process_vm_readv, (long)start->probe_pid, &here, 1L, &there, 1L, 0L);
}

static long probe_capabilities(const struct wire_start *start)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {
        {.effective = 1u << CAP_KILL, .permitted = 1u << CAP_KILL}};
    (void)start;
    return syscall(SYS_capset, &header, data);
}

/* Upwards from a block of Lua's memory, through a terabyte if nothing ends it. */
static long probe_memory(const struct wire_start *start)
{
    (void)start;
    uintptr_t at = (uintptr_t)arena_realloc(NULL, NULL, 0, 1);
    for (const uintptr_t end = at + ((uintptr_t)1 << 40); at < end; at += 4096)
        *(volatile char *)at = 1;
    return 0;
}

static long probe_cpu_time(const struct wire_start *start)
{
    (void)start;
    volatile bool ends = false;
    while (!ends)
        ;
    return 0;
}

static const probe_fn probes[WIRE_PROBE_COUNT_] = {
    [WIRE_PROBE_OPEN] = probe_open,
    [WIRE_PROBE_CREATE] = probe_create,
    [WIRE_PROBE_CONNECT] = probe_connect,
    [WIRE_PROBE_FORK] = probe_fork,
    [WIRE_PROBE_EXEC] = probe_exec,
    [WIRE_PROBE_PTRACE] = probe_ptrace,
    [WIRE_PROBE_EXEC_MEMORY] = probe_exec_memory,
    [WIRE_PROBE_SEND_OTHER] = probe_send_other,
    [WIRE_PROBE_SIGNAL] = probe_signal,
    [WIRE_PROBE_READ_MEMORY] = probe_read_memory,
    [WIRE_PROBE_CAPABILITIES] = probe_capabilities,
    [WIRE_PROBE_MEMORY] = probe_memory,
    [WIRE_PROBE_CPU_TIME] = probe_cpu_time,
};

void probe_run(const struct wire_start *start)
{
    char text[64];
    uint8_t stats[WIRE_STATS_SIZE] = {0};
    errno = 0;
    long result = probes[start->probe](start);
    int failure = result < 0 ? errno : 0;
    int len = snprintf(text, sizeof(text), "{\"result\":%ld,\"errno\":%d}", result, failure);
    executor_send(WIRE_RESULT, 0, 0, stats, sizeof(stats), text, (size_t)len);
}
