/* UUIDv7: form, order, and no doubles across threads. */
#include "base/uuid.h"

#include <pthread.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "tap.h"

enum { THREADS = 4, EACH = 20000 };
static char made[THREADS][EACH][UUID_SIZE];

static void *make_many(void *arg)
{
    char(*ids)[UUID_SIZE] = arg;
    for (int i = 0; i < EACH; i++)
        uuid_make(ids[i]);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void test_threads(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, make_many, made[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    bool rising = true, valid = true;
    for (int t = 0; t < THREADS; t++) {
        for (int i = 0; i < EACH; i++) {
            valid &= uuid_valid(made[t][i], 36) && made[t][i][14] == '7' &&
                     strchr("89ab", made[t][i][19]) != NULL;
            rising &= i == 0 || strcmp(made[t][i - 1], made[t][i]) < 0;
        }
    }
    ok(valid, "every id is a canonical version 7 of the RFC's variant");
    ok(rising, "each thread's ids rise");
    char *all = &made[0][0][0];
    qsort(all, (size_t)THREADS * EACH, UUID_SIZE, compare);
    int doubles = 0;
    for (size_t i = 1; i < (size_t)THREADS * EACH; i++)
        doubles += memcmp(all + (i - 1) * UUID_SIZE, all + i * UUID_SIZE, 18) == 0;
    is_int(doubles, 0, "no two of them share time and counter");
}

static void test_time(void)
{
    char id[UUID_SIZE];
    uint64_t before = (uint64_t)clock_wall_us() / 1000;
    uuid_make(id);
    char hex[13];
    snprintf(hex, sizeof(hex), "%.8s%.4s", id, id + 9);
    uint64_t ms = strtoull(hex, NULL, 16);
    ok(ms >= before && ms < before + 1000, "the first 48 bits are the milliseconds");
}

static void test_valid(void)
{
    static const struct {
        const char *text;
        bool valid;
    } rows[] = {
        {"01234567-89ab-4cde-8f01-23456789abcd", true},
        {"00000000-0000-0000-0000-000000000000", true},
        {"01234567-89AB-4cde-8f01-23456789abcd", false},
        {"0123456789ab-4cde-8f01-23456789abcd-", false},
        {"01234567-89ab-4cde-8f01-23456789abc", false},
        {"01234567-89ab-4cde-8f01-23456789abcde", false},
        {"01234567-89ab-4cde-8f01-23456789abcg", false},
        {"{1234567-89ab-4cde-8f01-23456789abc}", false},
        {"", false},
    };
    for (size_t i = 0; i < countof(rows); i++)
        ok(uuid_valid(rows[i].text, strlen(rows[i].text)) == rows[i].valid, "'%s' is %sa UUID",
           rows[i].text, rows[i].valid ? "" : "not ");
}

static void test_of_text(void)
{
    char id[UUID_SIZE];
    is_str(uuid_of_text("step/1", 6, id), "f94854ac-4483-8b26-a703-7f42dad7929a",
           "the digits of a text's SHA-256, as version 8 of the RFC's variant");
    ok(uuid_valid(id, strlen(id)), "which is an id");
    char first[UUID_SIZE], behind[UUID_SIZE], later[UUID_SIZE], far[UUID_SIZE];
    uuid_make(first);
    uuid_behind(first, 1, "step/1", 6, behind);
    uuid_behind(first, 2, "step/2", 6, later);
    uuid_behind(first, 1 << 20, "step/n", 6, far);
    ok(uuid_valid(behind, strlen(behind)) && uuid_valid(far, strlen(far)),
       "one with another's time is an id too (%s)", behind);
    ok(strcmp(first, behind) < 0 && strcmp(behind, later) < 0 && strcmp(later, far) < 0,
       "it sorts behind that one, in the order of places");
    usleep(2000);
    ok(strcmp(far, uuid_make(id)) < 0, "and before what is made later");
    is_str(behind + 19, "a703-7f42dad7929a", "the rest is of the text");
}

int main(void)
{
    test_time();
    test_of_text();
    test_threads();
    test_valid();
    return done_testing();
}
