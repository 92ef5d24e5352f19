/* Names of system calls, from this system's headers: the Makefile makes the tables. */
#include <linux/audit.h>
#include <stddef.h>

#include "wire/wire.h"

enum { X32_BIT = 0x40000000 };

#if defined(__x86_64__)
#define ARCH_NATIVE AUDIT_ARCH_X86_64
#else
#define ARCH_NATIVE AUDIT_ARCH_AARCH64
#endif

static const char *const native[] = {
#include "generated/syscalls.inc"
};
static const char *const i386[512] = {
/* none where there are no 32-bit headers */
#include "generated/syscalls_32.inc"
};

const char *wire_syscall_name(uint32_t arch, uint32_t number)
{
    if (arch == ARCH_NATIVE) {
        number &= ~(uint32_t)X32_BIT;
        return number < countof(native) ? native[number] : NULL;
    }
    if (arch == AUDIT_ARCH_I386)
        return number < countof(i386) ? i386[number] : NULL;
    return NULL;
}

const char *wire_arch_name(uint32_t arch, uint32_t number)
{
    switch (arch) {
    case AUDIT_ARCH_X86_64:
        return (number & X32_BIT) != 0 && number != UINT32_MAX ? "x32" : "x86_64";
    case AUDIT_ARCH_I386:
        return "i386";
    case AUDIT_ARCH_AARCH64:
        return "aarch64";
    case AUDIT_ARCH_ARM:
        return "arm";
    default:
        return "unknown";
    }
}
