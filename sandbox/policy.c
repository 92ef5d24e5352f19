/* The syscall policy: one row a call, everything else ends the process (SIGSYS).
 *
 * The filter answers such a call with a trap and not with the kill at once, so that it can be named: the kernel
 * does not make the call, but runs the handler in executor.c, which sends the call's number and place and dies.
 * For the attacker nothing is gained by that. The handler cannot be replaced (no row for rt_sigaction), and no
 * state of it lets the call be made; where it is gone, ignored or blocked, the kernel kills instead.
 *
 * The filter is written as classic BPF here and not by libseccomp: for so few rows it is a screenful, and
 * a library would be mapped in the zygote, and its mappings copied by every fork.
 *
 * A new row needs a reason, and the count in tests/sandbox/sandbox_forbidden.c changes with it. */
#include "sandbox/policy.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "wire/wire.h"

#if defined(__x86_64__)
#define POLICY_ARCH AUDIT_ARCH_X86_64 /* x32 shares it: its numbers have bit 30 set and match no row */
#elif defined(__aarch64__)
#define POLICY_ARCH AUDIT_ARCH_AARCH64
#else
#error "no syscall policy for this architecture"
#endif

#define ROW(call, index, value, reason) {#call, SYS_##call, {index, value}, reason}

const struct policy_row policy_rows[] = {
    ROW(read, 0, WIRE_FD, "answers of the engine"),
    ROW(write, 0, WIRE_FD, "requests, logs, the result"),
    ROW(rt_sigreturn, POLICY_ANY, 0, "back from the handler of the CPU timer"),
    ROW(clock_gettime, 0, CLOCK_PROCESS_CPUTIME_ID, "what the final frame says was used"),
    ROW(exit_group, POLICY_ANY, 0, "the end"),
#ifdef C9_SANITIZED /* "wide": what the runtimes of sanitizers and valgrind need. Never shipped. */
    ROW(write, 0, 2, "a sanitizer's report"),
    ROW(mmap, POLICY_ANY, 0, "a sanitizer's memory"),
    ROW(munmap, POLICY_ANY, 0, "a sanitizer's memory"),
    ROW(mprotect, POLICY_ANY, 0, "a sanitizer's memory"),
    ROW(madvise, POLICY_ANY, 0, "a sanitizer's memory"),
    ROW(futex, POLICY_ANY, 0, "a sanitizer's locks"),
    ROW(sched_yield, POLICY_ANY, 0, "a sanitizer's locks"),
    ROW(sigaltstack, POLICY_ANY, 0, "a sanitizer's handlers"),
    ROW(rt_sigprocmask, POLICY_ANY, 0, "a sanitizer's handlers"),
    ROW(rt_sigaction, POLICY_ANY, 0, "a sanitizer's handlers"),
    ROW(getpid, POLICY_ANY, 0, "a sanitizer's report"),
    ROW(gettid, POLICY_ANY, 0, "a sanitizer's report"),
#endif
};
const size_t policy_row_count = countof(policy_rows);

enum {
    PROGRAM_MAX = 8 + 9 * countof(policy_rows),
    OFFSET_NR = offsetof(struct seccomp_data, nr),
    OFFSET_ARCH = offsetof(struct seccomp_data, arch),
    OFFSET_ARGS = offsetof(struct seccomp_data, args),
};

static struct sock_filter program[PROGRAM_MAX];
static unsigned short program_len;

static void put(uint16_t code, uint32_t k, uint8_t jump_true, uint8_t jump_false)
{
    program[program_len++] = (struct sock_filter){code, jump_true, jump_false, k};
}

static void put_load(uint32_t offset)
{
    put(BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

/* Skips so many instructions unless what was loaded is k. */
static void put_unless(uint32_t k, uint8_t skip)
{
    put(BPF_JMP | BPF_JEQ | BPF_K, k, 0, skip);
}

static void put_return(uint32_t action)
{
    put(BPF_RET | BPF_K, action, 0, 0);
}

/* Allows the call if the row's argument has its value; else falls through. */
static void put_row(const struct policy_row *row)
{
    if (row->argument.index != POLICY_ANY) {
        uint32_t low = OFFSET_ARGS + 8 * (uint32_t)row->argument.index; /* little endian, both */
        put_load(low);
        put_unless((uint32_t)row->argument.value, 3);
        put_load(low + 4);
        put_unless((uint32_t)(row->argument.value >> 32), 1);
    }
    put_return(SECCOMP_RET_ALLOW);
}

/* The rows from begin to end by binary search: when a filter is installed the kernel tries it with every
 * number there is, so what matters is how soon it refuses. */
static void put_tree(const struct policy_row *const *begin, const struct policy_row *const *end)
{
    const struct policy_row *const *middle = begin + (end - begin) / 2;
    while (middle < end && middle[0]->call == begin[0]->call)
        middle++;
    while (middle > begin && middle < end && middle[-1]->call == middle[0]->call)
        middle--;
    if (middle < end) {
        unsigned short jump = program_len;
        put(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)middle[0]->call, 0, 0);
        put_tree(begin, middle);
        program[jump].jt = (uint8_t)(program_len - jump - 1);
        put_tree(middle, end);
        return;
    }
    unsigned short test = program_len;
    put_unless((uint32_t)begin[0]->call, 0);
    for (; begin < end; begin++)
        put_row(begin[0]);
    program[test].jf = (uint8_t)(program_len - test - 1);
    put_return(SECCOMP_RET_TRAP);
}

static int by_call(const void *a, const void *b)
{
    return (*(const struct policy_row *const *)a)->call - (*(const struct policy_row *const *)b)->call;
}

void policy_build(void)
{
    const struct policy_row *sorted[countof(policy_rows)];
    for (size_t i = 0; i < countof(sorted); i++)
        sorted[i] = &policy_rows[i];
    qsort(sorted, countof(sorted), sizeof(sorted[0]), by_call);
    program_len = 0;
    put_load(OFFSET_ARCH);
    put_unless(POLICY_ARCH, 0);
    put_load(OFFSET_NR);
    put_tree(sorted, sorted + countof(sorted));
    program[1].jf = (uint8_t)(program_len - 3); /* to the last instruction, which refuses */
}

int policy_install(void)
{
    struct sock_fprog filter = {.len = program_len, .filter = program};
    if (program_len == 0) {
        errno = EINVAL;
        return -1;
    }
    /* LOG: what is refused is in the kernel's audit trail as well, where there is one. */
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &filter);
}
