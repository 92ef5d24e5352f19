/* What both policies share. */
#ifndef C9_SANDBOX_POLICY_PRIVATE_H
#define C9_SANDBOX_POLICY_PRIVATE_H

#include <linux/audit.h>

#include "sandbox/policy.h"

#if defined(__x86_64__)
#define POLICY_ARCH                                                                                \
    AUDIT_ARCH_X86_64 /* x32 shares it: its numbers have bit 30 set and match no row */
#elif defined(__aarch64__)
#define POLICY_ARCH AUDIT_ARCH_AARCH64
#else
#error "no syscall policy for this architecture"
#endif

#endif
