/* The error object. Fallible functions return 0, or -1 with the error filled; success never
 * touches it. An error lives on its caller's stack:
 *
 *     error_auto err = ERROR_INIT;
 *     if (agent_load(store, id, &agent, &err) < 0)
 *         return error_wrap(&err_out, ...);
 *
 * Any thread; one error object belongs to one thread at a time. */
#ifndef C9_BASE_ERROR_H
#define C9_BASE_ERROR_H

#include <jansson.h>
#include <stdbool.h>

#include "cleanup.h"

enum error_code {
    E_NONE = 0,
#define ERROR(id, name, status, retryable, meaning, action) E_##id,
#include "errors.def"
#undef ERROR
    E_COUNT_
};

#define ERROR_MESSAGE_MAX 1024 /* bytes with the NUL; longer ones are cut at a character */

struct error {
    enum error_code code;
    char message[ERROR_MESSAGE_MAX]; /* always UTF-8: other bytes become U+FFFD */
    json_t *details;                 /* object or NULL; owned */
};
#define ERROR_INIT                                                                                 \
    {                                                                                              \
        0                                                                                          \
    }
#define error_auto cleanup(error_clear) struct error

/* One row of errors.def. */
struct error_row {
    const char *name;
    int status; /* HTTP */
    bool retryable;
    const char *meaning, *action;
};
const struct error_row *error_row(enum error_code code); /* never NULL; static */
enum error_code error_code_by_name(const char *name);    /* E_NONE when there is none */

/* Fill; what was there is dropped. NULL err is allowed (the caller does not care). Return -1. */
int error_set(struct error *err, enum error_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* As error_set, with ": strerror(errno)" behind. */
int error_errno(struct error *err, enum error_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "text: " before the message, code and details stay. Returns -1. */
int error_wrap(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Sets details[key]; value is consumed also on failure. */
void error_detail(struct error *err, const char *key, json_t *value);
/* Moves from into to (dropping what to had). Returns -1. */
int error_move(struct error *to, struct error *from);
void error_clear(struct error *err);

/* {"code":name,"message":…,"details":{…}} as a new object; the API adds the time and request id. */
json_t *error_to_json(const struct error *err);

#endif
