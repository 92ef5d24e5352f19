/* Loads plugins. One host a process; plugins stay loaded until host_free. Main thread. */
#ifndef C9_HOST_HOST_H
#define C9_HOST_HOST_H

#include <stddef.h>

#include "abi/plugin.h"
#include "base/config.h"
#include "base/error.h"

struct host;

/* folders: colon-separated, searched in order for NAME.so. */
struct host *host_new(const char *folders, const char *state_folder);
void host_free(struct host *host); /* closes nothing: the facades must be gone */

/* The plugin of this name, checked: file found, owned by root or us and not writable by others,
 * symbol there, ABI right, kind as wanted, ops complete. Loaded once. NULL: E_PLUGIN_INVALID with
 * file, found and wanted. */
const struct c9d_plugin *host_plugin(struct host *host, const char *name, enum c9d_kind kind,
                                     struct error *err);
/* Every *.so of the folders, loadable or not: calls fn with the descriptor, or with NULL and the
 * reason. For `c9d plugins`. */
void host_list(struct host *host,
               void (*fn)(void *arg, const char *file, const struct c9d_plugin *plugin,
                          const struct error *why_not),
               void *arg);

/* Declares the plugin's settings as the keys of [section instance] (instance NULL: plain section)
 * and makes what its open() takes. The settings object lives until host_settings_free and reads
 * from config; the keys are the host's: a config they were declared to is freed before the host, or
 * is not asked afterwards. NULL: E_CONFIG_INVALID for a wrong value or a required one that is
 * missing. */
struct c9d_settings *host_settings(struct host *host, struct config *config, const char *section,
                                   const char *instance, const struct c9d_plugin *plugin,
                                   struct error *err);
void host_settings_free(struct c9d_settings *settings);
/* The callbacks for a plugin's open(); storage may be NULL. Borrowed, lives as long as the host. */
const struct c9d_host *host_callbacks(struct host *host);

#endif
