/* The zygote: locks down once, then forks an executor for each SPAWN. */
#ifndef C9_SANDBOX_ZYGOTE_H
#define C9_SANDBOX_ZYGOTE_H

/* The whole life, on the control socket (descriptor WIRE_FD). Returns the process' exit status: 0
 * when the supervisor closed the socket, 1 after a DOWN or a broken conversation. */
int zygote_main(void);

#endif
