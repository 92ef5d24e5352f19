/* The types of configuration values. */
#include "base/config-private.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

static int parse_int(const char *text, int64_t *number_r)
{
    const char *p = text + (*text == '-');
    int64_t number = 0;
    if (*p == '\0')
        return -1;
    for (; *p != '\0'; p++) {
        if (!isdigit((unsigned char)*p) || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_sub_overflow(number, *p - '0', &number))
            return -1;
    }
    /* Gathered below zero, where there is one number more. */
    if (*text != '-' && __builtin_mul_overflow(number, -1, &number))
        return -1;
    *number_r = number;
    return 0;
}

static int parse_bool(const char *text, int64_t *number_r)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < countof(words); i++) {
        if (strcasecmp(text, words[i]) == 0) {
            *number_r = i % 2;
            return 0;
        }
    }
    return -1;
}

struct unit {
    const char *name;
    int64_t factor;
};
/* The largest first. */
static const struct unit sizes[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}};
static const struct unit durations[] = {{"d", 86400 * CLOCK_SECOND}, {"h", 3600 * CLOCK_SECOND},
                                        {"m", 60 * CLOCK_SECOND},    {"s", CLOCK_SECOND},
                                        {"ms", CLOCK_SECOND / 1000}, {"µs", 1}};
static const struct unit numbers[] = {{"", 1}};

static int parse_size(const char *text, int64_t *number_r)
{
    size_t digits = strspn(text, "0123456789");
    char number[24];
    if (digits == 0 || digits >= sizeof(number))
        return -1;
    memcpy(number, text, digits);
    number[digits] = '\0';
    for (size_t i = 0; i < countof(sizes); i++) {
        int64_t count;
        if (strcmp(text + digits + strspn(text + digits, " "), sizes[i].name) != 0)
            continue;
        return parse_int(number, &count) < 0 ||
                       __builtin_mul_overflow(count, sizes[i].factor, number_r)
                   ? -1
                   : 0;
    }
    return -1;
}

static int parse_any(const char *text, int64_t *number_r)
{
    (void)text;
    *number_r = 0;
    return 0;
}

static const struct type {
    int (*parse)(const char *text, int64_t *number_r);
    const char *expects;
    const struct unit *units; /* NULL: has no range; the last unit's factor is 1 */
} types[] = {
    [CONFIG_STRING] = {parse_any, "text", NULL},
    [CONFIG_INT] = {parse_int, "a whole number", numbers},
    [CONFIG_BOOL] = {parse_bool, "true or false", NULL},
    [CONFIG_DURATION] = {clock_parse_duration, "a duration such as 250ms, 30s, 5m, 2h or 3d",
                         durations},
    [CONFIG_SIZE] = {parse_size, "a size in bytes such as 4096, 64KiB, 10MiB or 1GiB", sizes},
    [CONFIG_CHOICE] = {parse_any, "a choice", NULL},
    [CONFIG_LIST] = {parse_any, "a list", NULL},
    [CONFIG_SECRET] = {parse_any, "a secret", NULL},
};

static void append_number(struct buf *b, const struct unit *unit, int64_t number)
{
    while (unit->factor > 1 && (number == 0 || number % unit->factor != 0))
        unit++;
    buf_printf(b, "%lld%s", (long long)(number / unit->factor), number == 0 ? "" : unit->name);
}

static int check_range(const struct config_key *row, const struct type *type, int64_t number,
                       struct buf *why)
{
    bool bounded = type->units != NULL && (row->min != 0 || row->max != 0);
    if (!bounded || (number >= row->min && number <= row->max))
        return 0;
    buf_append_str(why, "must be between ");
    append_number(why, type->units, row->min);
    buf_append_str(why, " and ");
    append_number(why, type->units, row->max);
    return -1;
}

static int check_choice(const struct config_key *row, const char *text, struct buf *why)
{
    size_t len = strlen(text);
    const char *p = row->choices != NULL ? row->choices : "";
    for (size_t n; *p != '\0'; p += n + (p[n] == '|')) {
        n = strcspn(p, "|");
        if (n == len && memcmp(p, text, n) == 0)
            return 0;
    }
    buf_printf(why, "must be one of %s", row->choices);
    return -1;
}

int config_value_parse(const struct config_key *row, const char *text, int64_t *number_r,
                       struct buf *why)
{
    const struct type *type = &types[row->type];
    if (type->parse(text, number_r) < 0) {
        buf_printf(why, "must be %s", type->expects);
        return -1;
    }
    if (row->type == CONFIG_CHOICE)
        return check_choice(row, text, why);
    return check_range(row, type, *number_r, why);
}
