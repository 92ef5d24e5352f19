/* What went wrong with a reply, and whether trying again may help. */
#ifndef MODEL_OPENAI_FAILURE_H
#define MODEL_OPENAI_FAILURE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FAILURE_MESSAGE_MAX = 512 };

struct failure {
    int status; /* as if the provider had answered so; 0: there was no answer */
    bool retry;
    char message[FAILURE_MESSAGE_MAX];
};

/* What the headers say about trying again. */
struct failure_hints {
    int64_t retry_after;    /* µs, 0: not said */
    bool retry_after_exact; /* retry-after-ms was there: it beats retry-after */
    int should_retry;       /* x-should-retry: 1, 0, or -1 when not said */
    int64_t date;           /* the provider's clock, wall µs, 0: not said */
    char http_date[64];     /* a retry-after that is a date, until the reply ends */
};

/* Takes note of a header if it is one of those; name in lower case. */
void failure_hint(struct failure_hints *hints, const char *name, const char *value);
/* How long to wait, µs; `now` is our wall clock, for dates when the provider sent none. */
int64_t failure_wait(const struct failure_hints *hints, int64_t now);

/* A failure of our own reading: malformed, cut off or too long. */
void failure_set(struct failure *failure, int status, bool retry, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* From the body of a reply whose status is no success: JSON in one of the usual shapes, else
 * text. */
void failure_from_body(struct failure *failure, int status, const char *body, size_t len);
/* From an error object inside a reply with a status of success. */
void failure_from_json(struct failure *failure, const json_t *root);

#endif
