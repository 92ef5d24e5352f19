/* The syscall policy: one row a call, everything else ends the process (SIGSYS).
 *
 * The filter answers such a call with a trap and not with the kill at once, so that it can be
 * named: the kernel does not make the call, but runs the handler in executor.c, which sends the
 * call's number and place and dies. For the attacker nothing is gained by that. The handler cannot
 * be replaced (no row for rt_sigaction), and no state of it lets the call be made; where it is
 * gone, ignored or blocked, the kernel kills instead.
 *
 * The filter is written as classic BPF here and not by libseccomp: for so few rows it is a
 * screenful, and a library would be mapped in the zygote, and its mappings copied by every fork.
 *
 * A new row needs a reason, and the count in tests/sandbox/sandbox_forbidden.c changes with it. */
#include "sandbox/policy-private.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "wire/wire.h"

#define ROW(call, index, value, reason)                                                            \
    {                                                                                              \
#call, SYS_##call, {index, value }, reason                                                 \
    }

const struct policy_row policy_rows[] = {
    ROW(read, 0, WIRE_FD, "answers of the engine"),
    ROW(write, 0, WIRE_FD, "requests, logs, the result"),
    ROW(rt_sigreturn, POLICY_ANY, 0, "back from the handler of the CPU timer"),
    ROW(clock_gettime, 0, CLOCK_THREAD_CPUTIME_ID, "what the final frame says was used"),
    ROW(exit_group, POLICY_ANY, 0, "the end"),
#ifdef C9_SANITIZED /* "wide": what the runtimes of sanitizers and valgrind need. Never shipped.   \
                     */
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
    ROW(gettimeofday, POLICY_ANY, 0, "a sanitizer's report"),
#ifdef SYS_open /* not everywhere */
    ROW(open, POLICY_ANY, 0, "a sanitizer's report, which does without the file it cannot have"),
    ROW(readlink, POLICY_ANY, 0, "the same"),
#endif
#endif
};
const size_t policy_row_count = countof(policy_rows);

enum {
    PROGRAM_MAX = 8 + 7 * countof(policy_rows),
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

/* Rows that compare the same argument with the same value, or none. */
static bool same_argument(const struct policy_row *a, const struct policy_row *b)
{
    return a->argument.index == b->argument.index &&
           (a->argument.index == POLICY_ANY || a->argument.value == b->argument.value);
}

/* From the row on, those with its argument: their numbers, and once for all of them the comparison.
 * What is not allowed falls through. */
static void put_group(const struct policy_row *first)
{
    const struct policy_row *end = policy_rows + policy_row_count;
    uint8_t left = 0, compares = first->argument.index == POLICY_ANY ? 0 : 4;
    for (const struct policy_row *row = first; row < end; row++)
        left = (uint8_t)(left + same_argument(first, row));
    put_load(OFFSET_NR);
    for (const struct policy_row *row = first; row < end; row++)
        if (same_argument(first, row)) {
            left--;
            put(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)row->call, left,
                left == 0 ? (uint8_t)(compares + 1) : 0);
        }
    if (compares > 0) {
        uint32_t low = OFFSET_ARGS + 8 * (uint32_t)first->argument.index; /* little endian, both */
        put_load(low);
        put_unless((uint32_t)first->argument.value, 3);
        put_load(low + 4);
        put_unless((uint32_t)(first->argument.value >> 32), 1);
    }
    put_return(SECCOMP_RET_ALLOW);
}

static bool first_of_group(const struct policy_row *row)
{
    for (const struct policy_row *before = policy_rows; before < row; before++)
        if (same_argument(before, row))
            return false;
    return true;
}

/* As short as can be: each executor's kernel compiles it anew. How soon it refuses a number that
 * nobody calls matters no more: the zygote's policy, which is inherited, has refused all but a few
 * before (policy_zygote.c). */
void policy_build(void)
{
    program_len = 0;
    put_load(OFFSET_ARCH);
    put_unless(POLICY_ARCH, 0);
    for (size_t i = 0; i < policy_row_count; i++)
        if (first_of_group(&policy_rows[i]))
            put_group(&policy_rows[i]);
    program[1].jf = (uint8_t)(program_len - 2); /* to the last instruction, which refuses */
    put_return(SECCOMP_RET_TRAP);
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
