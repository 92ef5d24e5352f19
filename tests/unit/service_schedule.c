/* The scheduler on a clock of its own: whatever the clock does, and however often it is asked, by
 * how many at a time, a time of a schedule runs once. */
#include "lib/service_world.h"

#include <pthread.h>

#include "base/clock.h"
#include "cron/cron.h"
#include "service/schedule.h"

#define MINUTE (60 * CLOCK_SECOND)

static char agent[UUID_SIZE];

static void make_agent(void)
{
    error_auto err = ERROR_INIT;
    jx_auto *body =
        js("{'name':'Ticks','skillset':['tick'],'executionConfig':{'entrypoint':'tick'}}");
    jx_auto *nothing = json_object();
    jx_auto *made = NULL, *version = NULL, *published = NULL;
    upload("{'name':'tick','version':'1.0.0'}");
    if (agent_create(service, &owner, body, &made, &err) < 0)
        bail("agent", &err);
    snprintf(agent, sizeof(agent), "%s", jx_str(made, "id", ""));
    if (version_create(service, &owner, agent, nothing, &version, &err) < 0 ||
        version_publish(service, &owner, agent, "1.0.0", NULL, &published, &err) < 0)
        bail("version", &err);
}

static void make(const char *text, char id[UUID_SIZE])
{
    error_auto err = ERROR_INIT;
    jx_auto *body = js(text);
    jx_auto *made = NULL;
    if (schedule_create(service, &owner, agent, body, &made, &err) < 0)
        bail(text, &err);
    snprintf(id, UUID_SIZE, "%s", jx_str(made, "id", ""));
}

static int64_t fire(int64_t now)
{
    error_auto err = ERROR_INIT;
    int64_t next = -1;
    do
        if (schedule_fire(service, now, &next, &err) < 0)
            bail("fire", &err);
    while (next <= now);
    return next;
}

static int64_t count(const char *id, const char *condition)
{
    autofree char *sql = xasprintf("SELECT COUNT(*) FROM schedule_runs WHERE schedule_id = '%s'"
                                   " AND %s",
                                   id, condition);
    return world_int(&w, sql);
}

/* Each execution ends at once. */
static void all_end(void)
{
    world_sql(&w, "UPDATE agent_executions SET status = 'completed'");
}

static void *racer(void *arg)
{
    fire(*(int64_t *)arg);
    return NULL;
}

static void test_property(void)
{
    uint64_t dice = 42;
    char id[UUID_SIZE];
    make("{'cronExpression':'*/3 * * * *','missedRunPolicy':'all','overlapPolicy':'allow',"
         "'missedRunWindowMs':31622400000,'jitterMs':40000}",
         id);
    int64_t begin = world_int(&w, "SELECT MAX(created_at) FROM scheduled_executions");
    int64_t now = begin, most = begin;
    for (int i = 0; i < 150; i++) {
        dice = dice * 6364136223846793005u + 1442695040888963407u;
        int64_t step = (int64_t)(dice >> 33) % (20 * MINUTE);
        error_auto err = ERROR_INIT;
        now += (dice >> 60) < 5 ? -step * 2 : step;
        if ((dice >> 56 & 15) == 0)
            now -= 5 * 60 * MINUTE; /* the clock was very wrong */
        now = now > begin ? now : begin;
        most = now > most ? now : most;
        if (schedule_clock_set(service, now, &err) < 0)
            bail("clock", &err);
        if (i % 10 == 0) {
            pthread_t other;
            if (pthread_create(&other, NULL, racer, &now) != 0)
                abort();
            fire(now);
            pthread_join(other, NULL);
        } else {
            fire(now);
        }
    }
    fire(most + MINUTE);
    struct cron cron;
    error_auto err = ERROR_INIT;
    struct zones *zones = zones_new("/usr/share/zoneinfo");
    zone_auto *utc = zones_get(zones, "UTC", &err);
    int64_t at = begin / CLOCK_SECOND, wanted = 0, found = 0;
    if (utc == NULL || cron_parse("*/3 * * * *", &cron, &err) < 0)
        bail("cron", &err);
    while (cron_next(&cron, utc, at, &at) && at * CLOCK_SECOND <= most) {
        autofree char *condition =
            xasprintf("outcome = 'started' AND scheduled_for = %" PRId64, at * CLOCK_SECOND);
        wanted++;
        found += count(id, condition) == 1;
    }
    zones_free(zones);
    ok(wanted > 100, "a clock that jumps comes far: %d times", (int)wanted);
    is_int(found, wanted, "each of them ran once");
    is_int(count(id, "outcome <> 'started'"), 0, "and nothing else was recorded");
    is_int(world_int(&w, "SELECT COUNT(*) FROM agent_executions"),
           world_int(&w, "SELECT COUNT(DISTINCT execution_id) FROM schedule_runs"),
           "each run has its execution");
    world_sql(&w, "DELETE FROM scheduled_executions");
    world_sql(&w, "DELETE FROM agent_executions");
}

static void test_catch_up(void)
{
    char all[UUID_SIZE], one[UUID_SIZE], old[UUID_SIZE], skipped[UUID_SIZE];
    make("{'cronExpression':'* * * * *','missedRunPolicy':'all','overlapPolicy':'allow'}", all);
    make("{'cronExpression':'* * * * *','missedRunPolicy':'one','overlapPolicy':'allow'}", one);
    make("{'cronExpression':'* * * * *','missedRunPolicy':'one','missedRunWindowMs':0}", old);
    make("{'cronExpression':'* * * * *','missedRunPolicy':'skip'}", skipped);
    int64_t begin = world_int(&w, "SELECT MIN(created_at) FROM scheduled_executions");
    int64_t next = fire(begin);
    ok(next > begin && next <= begin + MINUTE, "it says when to come again");
    int64_t later = (begin / MINUTE + 101) * MINUTE + 59 * CLOCK_SECOND; /* all are late */
    fire(later + 2 * CLOCK_SECOND - MINUTE);
    is_int(count(all, "outcome = 'started'"), 6,
           "all: no more than [schedules] catch_up, and what is on time");
    is_int(count(one, "outcome = 'started'"), 1, "one: one");
    is_int(count(old, "outcome = 'started'"), 1, "one within no window: what is on time");
    is_int(count(skipped, "outcome = 'started'"), 1, "skip: what is on time");
    is_int(count(all, "outcome = 'missed'"), 1, "what is left out is recorded in one row");
    autofree char *sum =
        xasprintf("SELECT SUM(missed_count) FROM schedule_runs WHERE schedule_id = '%s'", skipped);
    is_int(world_int(&w, sum), 100, "with how many they were");
    fire(later + 2 * CLOCK_SECOND - MINUTE);
    is_int(count(one, "outcome = 'started'"), 1, "asked again, nothing happens");
    world_sql(&w, "DELETE FROM scheduled_executions");
    world_sql(&w, "DELETE FROM agent_executions");
}

/* The clock was a day ahead, is set right, and c9d is late for a time that ran a day too early. */
static void test_repeated(void)
{
    char id[UUID_SIZE];
    error_auto err = ERROR_INIT;
    make("{'cronExpression':'* * * * *','missedRunPolicy':'skip','overlapPolicy':'allow'}", id);
    int64_t begin = world_int(&w, "SELECT MAX(created_at) FROM scheduled_executions");
    int64_t now = (begin / MINUTE + 1) * MINUTE + 24 * 60 * MINUTE;
    fire(now);
    int64_t runs = count(id, "outcome = 'started'");
    if (schedule_clock_set(service, now - 24 * 60 * MINUTE, &err) < 0)
        bail("clock", &err);
    fire(now - MINUTE / 2);
    int64_t next = fire(now + 5 * MINUTE);
    ok(next > now + 5 * MINUTE, "times that have come are passed over");
    is_int(count(id, "outcome = 'started'"), runs + 2, "those that are on time run");
    world_sql(&w, "DELETE FROM scheduled_executions");
    world_sql(&w, "DELETE FROM agent_executions");
}

/* A time that has come is not lost by an edit before the scheduler saw to it. */
static void test_edited(void)
{
    char id[UUID_SIZE];
    make("{'cronExpression':'* * * * *'}", id);
    world_sql(&w, "UPDATE scheduled_executions SET scheduled_for = scheduled_for - 60000000,"
                  " next_execution_at = next_execution_at - 60000000");
    int64_t due = world_int(&w, "SELECT next_execution_at FROM scheduled_executions");
    jx_auto *name = js("{'name':'x'}");
    jx_auto *other = js("{'cronExpression':'@yearly'}");
    jx_auto *named = NULL, *changed = NULL;
    works(schedule_update(service, &owner, id, name, NULL, &named, &err), "a name is edited");
    is_int(world_int(&w, "SELECT next_execution_at FROM scheduled_executions"), due,
           "the time that has come stays");
    fire(due + CLOCK_SECOND);
    is_int(count(id, "outcome = 'started'"), 1, "and runs");
    works(schedule_update(service, &owner, id, other, NULL, &changed, &err),
          "so is the expression");
    ok(world_int(&w, "SELECT next_execution_at FROM scheduled_executions") != due + MINUTE,
       "then the next time is another");
    world_sql(&w, "DELETE FROM scheduled_executions");
    world_sql(&w, "DELETE FROM agent_executions");
}

static void test_queue(void)
{
    char id[UUID_SIZE];
    make("{'cronExpression':'* * * * *','overlapPolicy':'queue'}", id);
    int64_t begin = world_int(&w, "SELECT MAX(created_at) FROM scheduled_executions");
    int64_t now = (begin / MINUTE + 1) * MINUTE;
    for (int i = 0; i < 3; i++)
        fire(now + i * MINUTE);
    is_int(count(id, "outcome = 'queued'"), 2, "runs queue behind the one that has not ended");
    for (int i = 0; i < 2; i++) {
        is_int(fire(now + 3 * MINUTE - 1) <= now + 3 * MINUTE, 1, "it is looked for soon");
        all_end();
        fire(now + 3 * MINUTE - 1);
        is_int(count(id, "outcome = 'queued'"), 1 - i, "one of them at a time follows");
    }
    all_end();
    is_int(fire(now + 3 * MINUTE - 1), now + 3 * MINUTE, "then only the next time is waited for");
    world_sql(&w, "DELETE FROM scheduled_executions");
}

static void test_refused(void)
{
    char id[UUID_SIZE];
    make("{'cronExpression':'* * * * *'}", id);
    int64_t begin = world_int(&w, "SELECT MAX(created_at) FROM scheduled_executions");
    world_sql(&w, "UPDATE scheduled_executions SET timezone = 'Gone/Away'");
    fire(begin + 2 * MINUTE);
    is_int(count(id, "outcome = 'failed'"), 1, "a zone that is gone is said");
    is_int(world_int(&w, "SELECT is_active FROM scheduled_executions"), 0,
           "and pauses the schedule");
    world_sql(&w, "UPDATE scheduled_executions SET timezone = 'UTC', is_active = 1,"
                  " scheduled_for = 0, next_execution_at = 0");
    int64_t next = fire(begin + 2 * MINUTE);
    ok(next > begin + 2 * MINUTE, "a row without times gets them");
    is_int(count(id, "outcome = 'started'"), 0, "and has not come yet");
    jx_auto *schedule = NULL;
    fails(schedule_get(service, &stranger, id, &schedule, &err), E_SCHEDULE_NOT_FOUND, "",
          "another organization");
    jx_auto *patch = js("{'cronExpression':'@daily'}");
    world_sql(&w, "UPDATE agents SET visibility = 'organization'");
    fails(schedule_update(service, &member, id, patch, NULL, &schedule, &err),
          E_INSUFFICIENT_PERMISSIONS, "neither yours", "a member who may not change the agent");
    fails(schedule_run_now(service, &viewer, id, &schedule, &err), E_INSUFFICIENT_PERMISSIONS, "",
          "a viewer who runs it");
}

int main(void)
{
    service_world_new("[schedules]\ncatch_up = 5\nlate = 1m\n[limits]\n");
    make_agent();
    test_catch_up();
    test_repeated();
    test_edited();
    test_queue();
    test_refused();
    world_sql(&w, "DELETE FROM scheduled_executions");
    service_world_free();
    service_world_new("[schedules]\ncatch_up = 100000\n");
    make_agent();
    test_property();
    service_world_free();
    return done_testing();
}
