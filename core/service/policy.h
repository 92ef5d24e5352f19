/* executionConfig.retry and executionConfig.concurrency: how often an execution is tried, and how
 * many run at once. */
#ifndef C9_SERVICE_POLICY_H
#define C9_SERVICE_POLICY_H

#include "service/engine.h"

/* Check the member's value; problems below path. */
void policy_check_retry(const json_t *given, const char *path, json_t *problems);
void policy_check_concurrency(const json_t *given, const char *path, json_t *problems);

/* execution_config: checked, or NULL. What is not said has its default; `on` and `key` live as long
 * as execution_config. */
struct launch_retry policy_retry(const json_t *execution_config);
struct launch_concurrency policy_concurrency(const json_t *execution_config);

/* Whether a failure of this code (skill_code: of the skill's own, or NULL) is to be tried again. */
bool policy_retries(const struct launch_retry *retry, enum error_code code, const char *skill_code);
/* The pause behind the n-th failed attempt (1, 2 …). random: of 0 to 1, for the jitter. */
int64_t policy_pause(const struct launch_retry *retry, int64_t failed, double random);

/* The concurrency key: as given with the request, or of the input by concurrency->key. *key_r is to
 * be freed; NULL when there is none. E_INVALID_INPUT when it is too long. */
int policy_key(const struct launch_concurrency *concurrency, const char *given, const json_t *input,
               char **key_r, struct error *err);

#endif
