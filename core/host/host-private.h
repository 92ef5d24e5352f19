/* Shared by the files of this room only. */
#ifndef C9_HOST_HOST_PRIVATE_H
#define C9_HOST_HOST_PRIVATE_H

#include "host/host.h"

struct key_table; /* settings.c: what was declared to a configuration, which borrows it */

struct host {
    char *folders, *state_folder;
    struct c9d_host callbacks;
    struct loaded *plugins;
    struct key_table *keys;
};

/* settings.c */
void host_settings_callbacks(struct c9d_host *callbacks);
void host_keys_free(struct host *host);

/* Fills err from a plugin's failure: "WHO: message". `failed` is the code for what is nobody's
 * fault; a conflict is E_INVALID_STATE. Returns -1. */
int host_fault(struct error *err, enum error_code failed, const char *who, int status,
               const struct c9d_fault *fault);

#endif
