#include "service/limits.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "service/problem.h"

#define MIB        (INT64_C(1) << 20)
#define MICROCENTS INT64_C(1000000)

/* least, most: bounds of both configuration values, in the configuration's unit. */
#define LIMIT(key, type, otherwise, max, least, most, help)                                        \
    {"limits", key, type, otherwise, least, most, NULL, help},                                     \
    {                                                                                              \
        "limits", key "_max", type, max, least, most, NULL,                                        \
            "The most that an agent may set " key " to."                                           \
    }

static const struct config_key keys[] = {
    LIMIT("cpu_time", CONFIG_DURATION, "10s", "5m", 1000, 86400 * CLOCK_SECOND,
          "CPU time of one execution."),
    LIMIT(
        "wall_time", CONFIG_DURATION, "5m", "1h", 1000, 30 * 86400 * CLOCK_SECOND,
        "Time of one execution from start to end; waits as long as [executions] evict do not count."),
    LIMIT("memory", CONFIG_SIZE, "64MiB", "512MiB", MIB, 65536 * MIB,
          "Lua memory of one execution."),
    LIMIT("output", CONFIG_SIZE, "1MiB", "16MiB", 1024, 32 * MIB,
          "Bytes of the result of one execution, as JSON."),
    LIMIT("log_bytes", CONFIG_SIZE, "1MiB", "16MiB", 0, 1024 * MIB,
          "Bytes logged by one execution."),
    LIMIT("log_count", CONFIG_INT, "1000", "100000", 0, 10000000, "Log records of one execution."),
    LIMIT("emit_count", CONFIG_INT, "10000", "1000000", 0, 10000000,
          "Values emitted by one execution."),
    LIMIT("requests", CONFIG_INT, "1000", "100000", 0, 10000000,
          "Requests (models, HTTP, agents …) of one execution."),
    LIMIT(
        "host_memory", CONFIG_SIZE, "64MiB", "1GiB", MIB, 65536 * MIB,
        "Memory that the server holds for one execution: requests, replies, unread answers, events "
        "not yet stored."),
    LIMIT("tokens", CONFIG_INT, "0", "0", 0, INT64_C(1000000000000),
          "Model tokens of one execution; 0: not limited."),
    LIMIT("cost", CONFIG_INT, "0", "0", 0, 1000000000,
          "Cost of one execution in cents; 0: not limited."),
};

/* ours = configured × config_unit = asked × json_unit. */
struct limit {
    const char *name, *key, *key_max;
    int64_t json_unit, config_unit;
    bool zero_is_none;
    size_t offset;
};
#define ROW(name, key, json_unit, config_unit, zero_is_none, member)                               \
    {                                                                                              \
        name, key, key "_max", json_unit, config_unit, zero_is_none,                               \
            offsetof(struct launch_limits, member)                                                 \
    }
static const struct limit limits[] = {
    ROW("cpuTimeMs", "cpu_time", 1000, 1, false, cpu_us),
    ROW("wallTimeMs", "wall_time", 1000, 1, false, wall_us),
    ROW("memoryMb", "memory", MIB, 1, false, memory),
    ROW("outputBytes", "output", 1, 1, false, output_max),
    ROW("logBytes", "log_bytes", 1, 1, false, log_bytes),
    ROW("logCount", "log_count", 1, 1, false, log_count),
    ROW("emitCount", "emit_count", 1, 1, false, emit_count),
    ROW("requests", "requests", 1, 1, false, requests),
    ROW("hostMemoryMb", "host_memory", MIB, 1, false, host_memory),
    ROW("tokens", "tokens", 1, 1, true, tokens),
    ROW("costCents", "cost", MICROCENTS, MICROCENTS, true, cost_microcents),
};

static int64_t configured(const struct config *config, const char *key, const struct limit *limit)
{
    return config_int(config, "limits", NULL, key) * limit->config_unit;
}

int limits_declare(struct config *config, struct error *err)
{
    int status = config_declare(config, keys, countof(keys), err);
    for (size_t i = 0; i < countof(limits); i++) {
        const struct limit *limit = &limits[i];
        int64_t most = configured(config, limit->key_max, limit);
        bool bounded = most > 0 || !limit->zero_is_none;
        if (!bounded || configured(config, limit->key, limit) <= most)
            continue;
        autofree char *why = xasprintf("[limits] %s is above %s", limit->key, limit->key_max);
        status = config_problem(config, "limits", NULL, limit->key, why, err);
    }
    return status;
}

static const struct limit *limit_find(const char *name)
{
    for (size_t i = 0; i < countof(limits); i++)
        if (strcmp(limits[i].name, name) == 0)
            return &limits[i];
    return NULL;
}

static void unknown(const char *path, const char *name, json_t *problems)
{
    const char *names[countof(limits)];
    for (size_t i = 0; i < countof(limits); i++)
        names[i] = limits[i].name;
    problem_unknown(problems, path, "limit", name, names, countof(names));
}

void limits_check(const struct config *config, const json_t *given, const char *path,
                  json_t *problems)
{
    if (!json_is_object(given)) {
        problem_add(problems, path, "must be an object");
        return;
    }
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)given, name, value) {
        autofree char *place = problem_path(path, name);
        const struct limit *limit = limit_find(name);
        if (limit == NULL) {
            unknown(place, name, problems);
            continue;
        }
        int64_t max = configured(config, limit->key_max, limit) / limit->json_unit;
        int64_t most = max == 0 && limit->zero_is_none ? INT64_MAX / limit->json_unit : max;
        int64_t asked = json_is_integer(value) ? json_integer_value(value) : 0;
        if (asked >= 1 && asked <= most)
            continue;
        if (max == 0 && limit->zero_is_none)
            problem_add(problems, place, "must be an integer of at least 1");
        else
            problem_add(problems, place,
                        "must be an integer from 1 to %" PRId64 " (the server's [limits] %s)", max,
                        limit->key_max);
    }
}

struct launch_limits limits_get(const struct config *config, const json_t *given)
{
    struct launch_limits out;
    for (size_t i = 0; i < countof(limits); i++) {
        const struct limit *limit = &limits[i];
        int64_t max = configured(config, limit->key_max, limit);
        bool bounded = max > 0 || !limit->zero_is_none;
        const json_t *asked = json_object_get(given, limit->name);
        int64_t value = configured(config, limit->key, limit);
        if (json_is_integer(asked) && json_integer_value(asked) <= INT64_MAX / limit->json_unit)
            value = json_integer_value(asked) * limit->json_unit;
        if (bounded && (value > max || (limit->zero_is_none && value == 0)))
            value = max;
        memcpy((char *)&out + limit->offset, &value, sizeof(value));
    }
    return out;
}
