/* The system calls that an executor may make once it reads what is not trusted: policy.c has the
 * table. */
#ifndef C9_SANDBOX_POLICY_H
#define C9_SANDBOX_POLICY_H

#include <stddef.h>
#include <stdint.h>

enum { POLICY_ANY = -1 };

struct policy_row {
    const char *name;
    int call;
    struct {
        int index;      /* of the argument; POLICY_ANY: none is looked at */
        uint64_t value; /* compared for equality, all 64 bits */
    } argument;
    const char *reason;
};
extern const struct policy_row policy_rows[];
extern const size_t policy_row_count;

/* Builds the filter; zygote, once. */
void policy_build(void);
/* Puts this process under it for good. Needs NO_NEW_PRIVS and policy_build. 0, or -1 with errno. */
int policy_install(void);

/* policy_zygote.c: the calls of the zygote itself, inherited by executors, which their own policy
 * narrows. Anything else gives EPERM, so that the executors' policy, and not this one, decides how
 * they end. Needs NO_NEW_PRIVS. 0, or -1 with errno. */
int policy_zygote_install(void);

#endif
