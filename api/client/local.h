/* Commands of c9d that need no server: skill-test, replay. */
#ifndef C9_CLIENT_LOCAL_H
#define C9_CLIENT_LOCAL_H

#include "client/client.h"

/* Runs `c9d COMMAND [--json] FILE` in the foreground; its exit code, or EXIT_FAILED after having
 * said why not. */
int local_run(const struct client *client, const char *command, const char *file);

#endif
