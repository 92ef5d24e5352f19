/* Expressions as text, and the next times of them: what is taken, what is refused and where, and
 * the rules for days and for changes of the clock. */
#include "cron/cron.h"

#include "base/clock.h"
#include "tap.h"

static struct zones *zones;

static struct zone *zone_of(const char *name)
{
    error_auto err = ERROR_INIT;
    struct zone *zone = zones_get(zones, name, &err);
    if (zone == NULL) {
        printf("Bail out! %s\n", err.message);
        exit(1);
    }
    return zone;
}

/* Each: the expression, and what the error says; NULL: it is taken. */
static const struct {
    const char *text, *says;
    const char *field;
    int position;
} texts[] = {
    {"* * * * *", NULL, NULL, 0},
    {"  0\t0  1 1 * ", NULL, NULL, 0},
    {"*/15 0-6,12 1-31/2 jan-mar,DEC Mon-Fri", NULL, NULL, 0},
    {"0 0 * * 0-7", NULL, NULL, 0},
    {"0 0 * * fri-sun", NULL, NULL, 0},
    {"@daily", NULL, NULL, 0},
    {"@HOURLY ", NULL, NULL, 0},
    {"0 0 29 2 *", NULL, NULL, 0},
    {"0 0 30 2 1", NULL, NULL, 0}, /* or Mondays */
    {"0 0 */30 2 *", NULL, NULL, 0},
    {"*/59 * * * *", NULL, NULL, 0},
    {"", "minute (character 1", "minute", 1},
    {"0 0 1", "month (character 6 of the cron expression): the field is missing", "month", 6},
    {"60 * * * *", "60 is not from 0 to 59", "minute", 1},
    {"* 24 * * *", "24 is not from 0 to 23", "hour", 3},
    {"* * 0 * *", "0 is not from 1 to 31", "day of month", 5},
    {"* * * 13 *", "13 is not from 1 to 12", "month", 7},
    {"* * * * 8", "8 is not from 0 to 7", "day of week", 9},
    {"* * * feb,jna *", "'jna' is neither a number from 1 to 12 nor one of jan … dec", "month", 11},
    {"* noon * * *", "'noon' is not a number", "hour", 3},
    {"99999999999999999999 * * * *", "is not from 0 to 59", "minute", 1},
    {"5-2 * * * *", "begins at 5 and ends before it, at 2", "minute", 1},
    {"5/10 * * * *", "a step needs a range", "minute", 2},
    {"*/0 * * * *", "a step must be from 1 to 59", "minute", 3},
    {"*/60 * * * *", "a step must be from 1 to 59", "minute", 3},
    {"*/x * * * *", "a step must be a number", "minute", 3},
    {"1-2/ * * * *", "a step must be a number", "minute", 5},
    {"1, * * * *", "a value is missing", "minute", 3},
    {"1- * * * *", "a value is missing", "minute", 3},
    {",1 * * * *", "a value is missing", "minute", 1},
    {"*5 * * * *", "'5' is not expected here", "minute", 2},
    {"1-2-3 * * * *", "'-' is not expected here", "minute", 4},
    {"-1 * * * *", "a value is missing", "minute", 1},
    {"0 0 * * * 2026", "behind the fifth field", "day of week", 11},
    {"0 0 L * *", "'L' is not a number", "day of month", 5},
    {"0 0 ? * *", "'?' is not a number", "day of month", 5},
    {"0 0 30 2 *", "it never comes", "day of month", 1},
    {"0 0 31 4,jun,9,nov *", "it never comes", "day of month", 1},
    {"@reboot", "a restart of the server is not one", NULL, 0},
    {"@every", "'@every' is none of @yearly", NULL, 0},
    {"@daily 5", "is none of", NULL, 0},
};

static void test_texts(void)
{
    for (size_t i = 0; i < countof(texts); i++) {
        error_auto err = ERROR_INIT;
        struct cron cron;
        int result = cron_parse(texts[i].text, &cron, &err);
        if (texts[i].says == NULL) {
            if (!ok(result == 0, "'%s' is taken", texts[i].text))
                note("%s", err.message);
            continue;
        }
        bool right = result < 0 && err.code == E_INVALID_REQUEST &&
                     strstr(err.message, texts[i].says) != NULL;
        if (texts[i].field != NULL)
            right =
                right &&
                strcmp(json_string_value(json_object_get(err.details, "field")), texts[i].field) ==
                    0 &&
                json_integer_value(json_object_get(err.details, "position")) == texts[i].position;
        if (!ok(right, "'%s' is refused", texts[i].text))
            note("%d: %s", result, err.message);
    }
    char text[CRON_TEXT_MAX + 2];
    memset(text, '1', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    struct cron cron;
    ok(cron_parse(text, &cron, NULL) < 0, "a text without end is refused");
}

/* From a time, the next ones; texts of UTC. */
static void follows(const char *expression, const char *zone_name, const char *from,
                    const char *const *wanted, const char *name)
{
    struct cron cron;
    zone_auto *zone = zone_of(zone_name);
    int64_t at, us;
    bool right = cron_parse(expression, &cron, NULL) == 0 &&
                 clock_parse_rfc3339(from, strlen(from), &us) == 0;
    at = us / CLOCK_SECOND;
    char text[CLOCK_RFC3339_SIZE] = "none";
    for (; right && *wanted != NULL; wanted++) {
        right = cron_next(&cron, zone, at, &at);
        if (right)
            clock_format_rfc3339(at * CLOCK_SECOND, text);
        right = right && strncmp(text, *wanted, strlen(*wanted)) == 0;
    }
    if (!ok(right, "%s: %s in %s", name, expression, zone_name))
        note("got %s, want %s", text, wanted[-1]);
}
#define FOLLOWS(expression, zone, from, name, ...)                                                 \
    follows(expression, zone, from, (const char *const[]){__VA_ARGS__, NULL}, name)

static void test_days(void)
{
    FOLLOWS("0 0 13 * 5", "UTC", "2026-02-01T00:00:00Z", "either of both days", "2026-02-06T00:00",
            "2026-02-13T00:00", "2026-02-20", "2026-02-27", "2026-03-06", "2026-03-13",
            "2026-03-20");
    FOLLOWS("0 0 */13 * 5", "UTC", "2026-02-01T00:00:00Z", "with a star, both", "2026-02-27T00:00",
            "2026-03-27T00:00");
    FOLLOWS("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", "a leap day, over a year without one",
            "2104-02-29T00:00");
    FOLLOWS("0 0 */28 2 0", "UTC", "2026-03-01T00:00:00Z", "days that are far apart", "2032-02-01",
            "2032-02-29");
    FOLLOWS("59 23 31 12 *", "UTC", "2026-12-31T23:59:00Z", "after means after",
            "2027-12-31T23:59:00");
    FOLLOWS("* * * * *", "UTC", "2026-12-31T23:59:59Z", "over the year's end",
            "2027-01-01T00:00:00", "2027-01-01T00:01:00");
    FOLLOWS("@weekly", "UTC", "2026-11-26T10:00:00Z", "a name", "2026-11-29T00:00", "2026-12-06");
    FOLLOWS("30 9 * * mon-fri", "Asia/Kolkata", "2026-11-27T04:00:00Z", "a zone without changes",
            "2026-11-30T04:00:00", "2026-12-01T04:00:00");
    FOLLOWS("0 0 1 1 *", "UTC", "1969-12-30T00:00:00Z", "before the epoch", "1970-01-01T00:00");
}

/* Berlin: 29 March 2026, 02:00 → 03:00; 25 October, 03:00 → 02:00. */
static void test_changes(void)
{
    FOLLOWS("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
            "what is skipped comes right after", "2026-03-29T01:00:00", "2026-03-30T00:30:00");
    FOLLOWS("0,15,30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "once, not for each",
            "2026-03-29T01:00:00", "2026-03-30T00:00:00");
    FOLLOWS("30 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "beside what is not skipped",
            "2026-03-29T01:00:00", "2026-03-29T01:30:00");
    FOLLOWS("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
            "wildcards are left out by the clock", "2026-03-30T00:00:00");
    FOLLOWS("30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "or go on by it",
            "2026-03-29T00:30:00", "2026-03-29T01:30:00");
    FOLLOWS("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "what is repeated comes once",
            "2026-10-25T00:30:00", "2026-10-26T01:30:00");
    FOLLOWS("0 3 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "the edge is not repeated",
            "2026-10-25T02:00:00");
    FOLLOWS("30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", "wildcards come twice",
            "2026-10-25T00:30:00", "2026-10-25T01:30:00", "2026-10-25T02:30:00");
    FOLLOWS("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", "half an hour",
            "2026-10-03T15:30:00", "2026-10-04T15:15:00");
    FOLLOWS("0 12 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z",
            "a day that was left out is a correction", "2011-12-29T22:00:00",
            "2011-12-30T22:00:00");
    FOLLOWS("30 2 * * *", "America/New_York", "2098-03-08T12:00:00Z", "by the rule, far ahead",
            "2098-03-09T07:00:00", "2098-03-10T06:30:00");
}

int main(void)
{
    zones = zones_new("/usr/share/zoneinfo");
    test_texts();
    test_days();
    test_changes();
    zones_free(zones);
    return done_testing();
}
