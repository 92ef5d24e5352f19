/* Structured log to stderr, one line a record, written by one write(2). Any thread.
 *
 *   log_info("execution.start", "agent %s", id)   → "2026-… info execution.start agent …"
 *
 * `event` is a dotted constant for machines; the message is for people. Fields bound to the thread
 * by log_bind (request, agent and execution ids) are added to every record. Control characters
 * are escaped. Never log a secret, a token, an input or an output. */
#ifndef C9_BASE_LOG_H
#define C9_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

void log_setup(enum log_level least, enum log_format format);
int log_level_parse(const char *s, enum log_level *level_r); /* "debug" … "error"; 0 or -1 */
bool log_enabled(enum log_level level);

/* Binds key to value for this thread until unbound (value NULL). The strings are borrowed and must
 * outlive the binding; at most 8 keys, more are ignored. */
void log_bind(const char *key, const char *value);

void log_write(enum log_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define log_at_(level, ...) (log_enabled(level) ? log_write(level, __VA_ARGS__) : (void)0)
#define log_debug(...)      log_at_(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)       log_at_(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...)       log_at_(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(...)      log_at_(LOG_LEVEL_ERROR, __VA_ARGS__)

#endif
