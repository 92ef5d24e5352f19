#include "service/policy.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "service/problem.h"

enum { KEY_MAX = 256 /* bytes */, ATTEMPTS_MAX = 100, CODES_MAX = 32 };
#define MS          1000
#define PAUSE_MS    (INT64_C(7) * 86400 * 1000) /* the longest between two attempts */
#define RUNNING_MAX 1000000

/* ---- members by tables ---- */

enum member_kind { MEMBER_INT, MEMBER_NUMBER, MEMBER_CODES, MEMBER_POINTER, MEMBER_POLICY };
struct member {
    const char *name;
    enum member_kind kind;
    double least, most; /* of numbers */
};

static const struct member retry_members[] = {
    {"attempts", MEMBER_INT, 1, ATTEMPTS_MAX}, {"backoffMs", MEMBER_INT, 0, (double)PAUSE_MS},
    {"factor", MEMBER_NUMBER, 1, 10},          {"maxBackoffMs", MEMBER_INT, 0, (double)PAUSE_MS},
    {"jitter", MEMBER_NUMBER, 0, 1},           {"on", MEMBER_CODES, 0, 0},
};

static const struct member concurrency_members[] = {
    {"limit", MEMBER_INT, 1, RUNNING_MAX},
    {"perKey", MEMBER_INT, 1, RUNNING_MAX},
    {"key", MEMBER_POINTER, 0, 0},
    {"policy", MEMBER_POLICY, 0, 0},
};

static const char *const policies[] = {
    [CONCURRENCY_QUEUE] = "queue",
    [CONCURRENCY_REJECT] = "reject",
    [CONCURRENCY_CANCEL_IN_PROGRESS] = "cancel-in-progress",
    [CONCURRENCY_CANCEL_NEWEST] = "cancel-newest",
};

static int policy_by_name(const char *name)
{
    for (size_t i = 0; name != NULL && i < countof(policies); i++)
        if (strcmp(policies[i], name) == 0)
            return (int)i;
    return -1;
}

static void check_number(const struct member *m, const json_t *value, const char *place,
                         json_t *problems)
{
    bool typed = m->kind == MEMBER_INT ? json_is_integer(value) : json_is_number(value);
    double number = json_number_value(value);
    if (!typed || !(number >= m->least && number <= m->most))
        problem_add(problems, place, "must be %s from %.0f to %.0f",
                    m->kind == MEMBER_INT ? "an integer" : "a number", m->least, m->most);
}

static void check_codes(const json_t *value, const char *place, json_t *problems)
{
    bool fine = json_is_array(value) && json_array_size(value) <= CODES_MAX;
    for (size_t i = 0; fine && i < json_array_size(value); i++) {
        const char *code = json_string_value(json_array_get(value, i));
        fine = code != NULL && code[0] != '\0' && strlen(code) <= 64;
    }
    if (!fine)
        problem_add(problems, place,
                    "must be an array of at most %d error codes, such as \"ExecutionTimeout\"",
                    CODES_MAX);
}

static void check_member(const struct member *m, const json_t *value, const char *place,
                         json_t *problems)
{
    const char *text = json_string_value(value);
    switch (m->kind) {
    case MEMBER_INT:
    case MEMBER_NUMBER:
        check_number(m, value, place, problems);
        break;
    case MEMBER_CODES:
        check_codes(value, place, problems);
        break;
    case MEMBER_POINTER:
        if (text == NULL || !jx_pointer_valid(text, strlen(text)) || strlen(text) > KEY_MAX)
            problem_add(problems, place,
                        "must be a JSON Pointer into the input, such as \"/customer/id\"");
        break;
    case MEMBER_POLICY:
        if (policy_by_name(text) < 0)
            problem_add(problems, place,
                        "must be queue, reject, cancel-in-progress or cancel-newest");
        break;
    }
}

static void check_members(const json_t *given, const struct member *table, size_t n,
                          const char *path, json_t *problems)
{
    const char *names[countof(retry_members) + countof(concurrency_members)], *key;
    json_t *value;
    if (!json_is_object(given)) {
        problem_add(problems, path, "must be an object");
        return;
    }
    for (size_t i = 0; i < n; i++)
        names[i] = table[i].name;
    json_object_foreach ((json_t *)given, key, value) {
        autofree char *place = problem_path(path, key);
        size_t i = 0;
        while (i < n && strcmp(table[i].name, key) != 0)
            i++;
        if (i < n) {
            check_member(&table[i], value, place, problems);
        } else {
            problem_unknown(problems, place, "member", key, names, n);
        }
    }
}

void policy_check_retry(const json_t *given, const char *path, json_t *problems)
{
    check_members(given, retry_members, countof(retry_members), path, problems);
}

void policy_check_concurrency(const json_t *given, const char *path, json_t *problems)
{
    check_members(given, concurrency_members, countof(concurrency_members), path, problems);
}

/* ---- what the engine gets ---- */

static double number_of(const json_t *object, const char *name, double otherwise)
{
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

struct launch_retry policy_retry(const json_t *execution_config)
{
    const json_t *given = json_object_get(execution_config, "retry");
    return (struct launch_retry){
        .attempts = jx_int(given, "attempts", given != NULL ? 3 : 1),
        .backoff_us = jx_int(given, "backoffMs", 1000) * MS,
        .backoff_max_us = jx_int(given, "maxBackoffMs", 3600 * 1000) * MS,
        .factor = number_of(given, "factor", 2),
        .jitter = number_of(given, "jitter", 0.2),
        .on = json_object_get(given, "on"),
    };
}

struct launch_concurrency policy_concurrency(const json_t *execution_config)
{
    const json_t *given = json_object_get(execution_config, "concurrency");
    int policy = policy_by_name(jx_str(given, "policy", "queue"));
    return (struct launch_concurrency){
        .limit = jx_int(given, "limit", 0),
        .per_key = jx_int(given, "perKey", 1),
        .key = jx_str(given, "key", NULL),
        .policy = policy >= 0 ? (enum concurrency_policy)policy : CONCURRENCY_QUEUE,
    };
}

/* ---- retries ---- */

/* These end the same way the next time. */
static const enum error_code hopeless[] = {
    E_INVALID_INPUT,     E_INVALID_REQUEST,          E_RESOURCE_EXHAUSTED, E_CAPABILITY_DENIED,
    E_ADDRESS_DENIED,    E_INSUFFICIENT_PERMISSIONS, E_REPLAY_DIVERGED,    E_AGENT_NOT_FOUND,
    E_VERSION_NOT_FOUND, E_PROTOCOL_VIOLATION,       E_CANCELLED,
};

static bool names_code(const json_t *on, const char *code)
{
    for (size_t i = 0; i < json_array_size(on); i++)
        if (strcmp(json_string_value(json_array_get(on, i)), code) == 0)
            return true;
    return false;
}

bool policy_retries(const struct launch_retry *retry, enum error_code code, const char *skill_code)
{
    if (code == E_CANCELLED)
        return false;
    if (retry->on != NULL)
        return names_code(retry->on, error_row(code)->name) ||
               (skill_code != NULL && names_code(retry->on, skill_code));
    for (size_t i = 0; i < countof(hopeless); i++)
        if (hopeless[i] == code)
            return false;
    return true;
}

/* Exponential, cut, then spread around its length, so that what failed together does not come back
 * together. */
int64_t policy_pause(const struct launch_retry *retry, int64_t failed, double random)
{
    double pause = (double)retry->backoff_us, most = (double)retry->backoff_max_us;
    while (--failed > 0 && pause < most)
        pause *= retry->factor;
    if (pause > most)
        pause = most;
    return (int64_t)(pause * (1 - retry->jitter + 2 * retry->jitter * random));
}

/* ---- keys ---- */

int policy_key(const struct launch_concurrency *concurrency, const char *given, const json_t *input,
               char **key_r, struct error *err)
{
    const json_t *found =
        given == NULL && concurrency->key != NULL ? jx_pointer_get(input, concurrency->key) : NULL;
    autofree char *key = given != NULL                           ? xstrdup(given)
                         : json_is_string(found)                 ? xstrdup(json_string_value(found))
                         : found != NULL && !json_is_null(found) ? jx_encode_sorted(found, NULL)
                                                                 : NULL;
    if (key != NULL && strlen(key) > KEY_MAX)
        return error_set(err, E_INVALID_INPUT,
                         "the concurrency key has %zu bytes; at most %d are possible", strlen(key),
                         KEY_MAX);
    *key_r = key != NULL && key[0] != '\0' ? move_ptr(&key) : NULL;
    return 0;
}
