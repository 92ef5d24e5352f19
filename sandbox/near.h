#ifndef C9_SANDBOX_NEAR_H
#define C9_SANDBOX_NEAR_H

/* From here on children inherit the page tables of the code that executors run. Once, before
 * executable memory is forbidden. Where it cannot be done, they fault it in. */
void near_keep(void);

#endif
