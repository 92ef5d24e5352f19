/* Error bodies of many servers, and retry hints of several kinds, become one failure. */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "text.h"

#define SECOND   INT64_C(1000000)
#define WAIT_MAX (24 * 3600 * SECOND)

/* ---- retry hints ----------------------------------------------------------------------------- */

/* HTTP dates (RFC 9110, 5.6.7): the form of today and the two of the past. */
static int64_t http_date_parse(const char *value)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %e %H:%M:%S %Y"};
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm when = {0};
        const char *end = strptime(value, forms[i], &when);
        if (end != NULL && *end == '\0')
            return (int64_t)timegm(&when) * SECOND;
    }
    return 0;
}

/* Decimal digits, and a fraction which is cut. False when it is anything else. */
static bool number_parse(const char *value, int64_t unit, int64_t *us_r)
{
    int64_t n = 0;
    const char *c = value;
    for (; *c >= '0' && *c <= '9'; c++)
        n = n < WAIT_MAX ? n * 10 + (*c - '0') : n;
    if (c == value || (*c != '\0' && *c != '.'))
        return false;
    *us_r = n > WAIT_MAX / unit ? WAIT_MAX : n * unit;
    return true;
}

void failure_hint(struct failure_hints *hints, const char *name, const char *value)
{
    int64_t us;
    if (strcmp(name, "retry-after-ms") == 0 && number_parse(value, 1000, &us)) {
        hints->retry_after = us;
        hints->retry_after_exact = true;
    } else if (strcmp(name, "retry-after") == 0 && !hints->retry_after_exact) {
        if (number_parse(value, SECOND, &us))
            hints->retry_after = us;
        else
            snprintf(hints->http_date, sizeof(hints->http_date), "%s", value);
    } else if (strcmp(name, "x-should-retry") == 0) {
        hints->should_retry = strcasecmp(value, "true") == 0;
    } else if (strcmp(name, "date") == 0) {
        hints->date = http_date_parse(value);
    }
}

int64_t failure_wait(const struct failure_hints *hints, int64_t now)
{
    if (hints->retry_after > 0 || hints->http_date[0] == '\0')
        return hints->retry_after;
    int64_t until = http_date_parse(hints->http_date);
    int64_t wait = until - (hints->date > 0 ? hints->date : now);
    return until == 0 || wait < 0 ? 0 : wait > WAIT_MAX ? WAIT_MAX : wait;
}

/* ---- what the provider says ------------------------------------------------------------------ */

static bool status_retry(int status)
{
    return status == 408 || status == 409 || status == 429 || status >= 500;
}

/* Names that providers give their errors, and what they come down to. */
static const struct {
    const char *name;
    int status;
    bool retry;
} kinds[] = {
    {"insufficient_quota", 429, false}, /* no waiting fills an account */
    {"billing_hard_limit_reached", 429, false},
    {"rate_limit_exceeded", 429, true},
    {"rate_limit_error", 429, true},
    {"too_many_requests", 429, true},
    {"overloaded_error", 503, true},
    {"service_unavailable", 503, true},
    {"server_error", 500, true},
    {"internal_server_error", 500, true},
    {"internal_error", 500, true},
    {"api_error", 500, true},
    {"timeout", 504, true},
    {"context_length_exceeded", 400, false},
    {"invalid_request_error", 400, false},
    {"bad_request", 400, false},
    {"content_filter", 400, false},
    {"invalid_api_key", 401, false},
    {"authentication_error", 401, false},
    {"permission_error", 403, false},
    {"not_found_error", 404, false},
    {"model_not_found", 404, false},
};

static const char *status_advice(int status, bool retry)
{
    switch (status) {
    case 401:
        return "; check api_key";
    case 403:
        return "; check what the api_key may use";
    case 404:
        return "; check base_url and model";
    case 429:
        return retry ? "; lower `concurrency`, or wait" : "";
    default:
        return status >= 300 && status < 400 ? "; set base_url to where it moved" : "";
    }
}

void failure_set(struct failure *failure, int status, bool retry, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(failure->message, sizeof(failure->message), fmt, ap);
    va_end(ap);
    failure->status = status;
    failure->retry = retry;
}

/* The words of an error in the shapes met so far: {"message"}, {"detail"}, {"msg"}, a string, or a
 * list of any of these. */
static const json_t *error_words(const json_t *error, int depth)
{
    static const char *const names[] = {"message", "detail", "msg", "error"};
    if (json_is_string(error) || depth == 0)
        return json_is_string(error) ? error : NULL;
    if (json_is_array(error))
        return error_words(json_array_get(error, 0), depth - 1);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const json_t *words = error_words(json_object_get(error, names[i]), depth - 1);
        if (words != NULL)
            return words;
    }
    return NULL;
}

/* The row of `kinds` that the error's code or type names; its own number as a status. */
static size_t error_kind(const json_t *error, int *number_r, const char **name_r)
{
    static const char *const members[] = {"code", "type", "status"};
    size_t found = sizeof(kinds) / sizeof(kinds[0]);
    for (size_t m = sizeof(members) / sizeof(members[0]); m-- > 0;) {
        const json_t *value = json_object_get(error, members[m]);
        json_int_t number = json_integer_value(value);
        if (number >= 400 && number <= 599)
            *number_r = (int)number;
        const char *name = json_string_value(value);
        if (name == NULL || name[0] == '\0')
            continue;
        *name_r = name;
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
            if (strcasecmp(name, kinds[i].name) == 0 && (found > i))
                found = i;
    }
    return found;
}

/* status 0: the error came under a status of success, so it must say itself what it is. */
static void failure_tell(struct failure *failure, int status, const json_t *root)
{
    if (json_is_array(root))
        root = json_array_get(root, 0);
    const json_t *inner = json_object_get(root, "error");
    const json_t *error = json_is_object(inner) ? inner : root, *words = error_words(root, 4);
    const char *name = NULL;
    int number = 0;
    size_t kind = error_kind(error, &number, &name);
    bool known = kind < sizeof(kinds) / sizeof(kinds[0]);
    int meant = status > 0 ? status : number > 0 ? number : known ? kinds[kind].status : 502;
    bool retry = status_retry(meant);
    if (known && !kinds[kind].retry)
        retry = retry && status > 0 && status != 429;
    char said[384] = "", called[64] = "";
    if (words != NULL)
        text_plain(said, sizeof(said), json_string_value(words), json_string_length(words));
    if (name != NULL)
        text_plain(called, sizeof(called), name, strlen(name));
    failure_set(failure, meant, retry, "the provider %s %d%s%s%s%s%s%s",
                status > 0 ? "answered" : "reported an error,", meant, called[0] ? " (" : "",
                called, called[0] ? ")" : "", said[0] ? ": " : "", said,
                status_advice(meant, retry));
}

void failure_from_json(struct failure *failure, const json_t *root)
{
    failure_tell(failure, 0, root);
}

void failure_from_body(struct failure *failure, int status, const char *body, size_t len)
{
    char why[128], said[256];
    json_t *root = text_decode(body, len, TEXT_REPLY_VALUES_MAX, 0, why, sizeof(why));
    if (json_is_object(root) || json_is_array(root)) {
        failure_tell(failure, status, root);
    } else {
        text_plain(said, sizeof(said), body, len);
        bool retry = status_retry(status);
        failure_set(failure, status, retry, "the provider answered %d%s%s%s", status,
                    said[0] ? ": " : "", said, status_advice(status, retry));
    }
    json_decref(root);
}
