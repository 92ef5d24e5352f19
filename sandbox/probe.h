/* The attempts of `c9d check-sandbox`, made from inside a real executor. */
#ifndef C9_SANDBOX_PROBE_H
#define C9_SANDBOX_PROBE_H

#include "wire/wire.h"

/* Makes the attempt that START names, as an attacker with native code would. When it comes back, a
 * RESULT tells what the kernel said. Called in place of the VM, behind all that locks an executor
 * down (PROBE_BEHIND: but for the syscall policy); reads nothing. */
void probe_run(const struct wire_start *start);

#endif
