/* The limits of an execution: configuration [limits], executionConfig.limits, and what the engine
 * gets. */
#ifndef C9_SERVICE_LIMITS_H
#define C9_SERVICE_LIMITS_H

#include "base/config.h"
#include "service/engine.h"

/* Declares the keys: each limit's default and, with _max behind, the most an agent may ask for. */
int limits_declare(struct config *config, struct error *err);
/* Checks executionConfig.limits; problems below path. */
void limits_check(const struct config *config, const json_t *given, const char *path,
                  json_t *problems);
/* given: executionConfig.limits, or NULL. What the configuration bounds by now is cut to it. */
struct launch_limits limits_get(const struct config *config, const json_t *given);

#endif
