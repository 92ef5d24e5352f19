#!/usr/bin/python3
"""Schedules: their life, their runs on a clock that the test sets, and what becomes of a time that comes
when it should not."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9clock import daemon_with_clock  # noqa: E402
from c9test import contains, equal, eventually, note, ok, run  # noqa: E402

daemon, clock = daemon_with_clock({"schedules": {"per_agent": 20, "queue": 2},
                                   "executions": {"drain": "1s", "grace": "100ms"}})
api = daemon.api
ECHO = ('return { name = "echo", version = "1.0.0", description = "d", run = function(input) '
        'return input end }')
SLOW = ('return { name = "slow", version = "1.0.0", description = "d", run = function(input) '
        'c9.sleep(600) return 1 end }')
agent = api.lua_agent("clockwork", ECHO, inputSchema={"type": ["object", "null"]})
slow = api.lua_agent("sleeper", SLOW)
AGENT = f"/v1/agents/{agent['id']}/schedules"


def make(expression="* * * * *", of=agent, **members):
    answer = daemon.api.post(f"/v1/agents/{of['id']}/schedules", {"cronExpression": expression, **members})
    if answer.status != 201:
        raise AssertionError(repr(answer))
    return answer.json


def path(schedule, rest=""):
    return f"/v1/schedules/{schedule['id']}{rest}"


def runs(schedule, rest=""):
    return daemon.api.get(path(schedule, "/runs?limit=200" + rest)).json["items"]


def outcomes(schedule):
    return [r["outcome"] for r in reversed(runs(schedule))]


def look():
    """What wakes the scheduler, as a set clock does."""
    daemon.api.patch(path(looked), {"name": str(time.monotonic())})


def remove(schedule):
    equal(daemon.api.delete(path(schedule)).status, 204, "it is deleted")


looked = make("0 0 1 1 *", isActive=False)


def test_life():
    answer = api.post(AGENT, {"cronExpression": "30 9 * * mon-fri", "timezone": "Europe/Berlin",
                              "name": "morning", "inputData": {"a": 1}, "jitterMs": 1000})
    equal(answer.status, 201, "a schedule is created")
    made = answer.json
    equal(answer.headers["Location"], path(made), "Location says where")
    got = api.get(path(made))
    equal(got.json, made, "it reads back")
    equal(api.get(path(made), {"If-None-Match": got.headers["ETag"]}).status, 304, "ETag holds")
    equal((made["overlapPolicy"], made["missedRunPolicy"], made["isActive"], made["origin"]),
          ("skip", "one", True, "api"), "with defaults")
    ok(made["nextExecutionAt"] > made["createdAt"], "and a next run")
    edited = api.patch(path(made), {"cronExpression": "@daily", "name": None},
                       {"If-Match": got.headers["ETag"]})
    equal((edited.status, edited.json["cronExpression"]), (200, "@daily"), "it is edited")
    ok("name" not in edited.json and edited.json["nextExecutionAt"] != made["nextExecutionAt"],
       "null removes, and the next run is another")
    equal(api.patch(path(made), {"jitterMs": 0}, {"If-Match": got.headers["ETag"]}).code,
          "PreconditionFailed", "once for a tag")
    paused = api.post(path(made, "/pause")).json
    ok(not paused["isActive"] and "nextExecutionAt" not in paused, "paused, it has no next run")
    equal([s["id"] for s in api.get(AGENT + "?state=paused").json["items"]],
          [made["id"], looked["id"]], "lists filter by state")
    ok("nextExecutionAt" in api.post(path(made, "/resume")).json, "resumed, it has one again")
    equal([s["id"] for s in api.get("/v1/schedules?agentId=clockwork&state=active").json["items"]],
          [made["id"]], "it is listed by its agent's name")
    equal(api.get("/v1/schedules?agentId=nobody").code, "AgentNotFound", "which must be there")
    remove(made)
    equal(api.get(path(made)).code, "ScheduleNotFound", "and gone")
    key = {"Idempotency-Key": "schedule-once"}
    first, again = (api.post(AGENT, {"cronExpression": "@daily"}, key) for _ in "12")
    equal(first.json["id"], again.json["id"], "a key makes it once")
    remove(first.json)


def test_refusals():
    for body, place, says in (
            ({}, "", "cronExpression"),
            ({"cronExpression": "* * * *"}, "/cronExpression", "day of week (character 8"),
            ({"cronExpression": "61 * * * *"}, "/cronExpression", "61 is not from 0 to 59"),
            ({"cronExpression": "@reboot"}, "/cronExpression", "restart"),
            ({"cronExpression": "0 0 31 6 *"}, "/cronExpression", "it never comes"),
            ({"cronExpression": "@daily", "timezone": "Mars/Olympus"}, "/timezone", "there is no time zone"),
            ({"cronExpression": "@daily", "timezone": "../../etc/passwd"}, "/timezone", "there is no time zone"),
            ({"cronExpression": "@daily", "jitterMs": -1}, "/jitterMs", ""),
            ({"cronExpression": "@daily", "overlapPolicy": "quue"}, "/overlapPolicy", ""),
            ({"cronExpression": "@daily", "cron": 1}, "/cron", "")):
        answer = api.post(AGENT, body)
        places = [e["path"] for e in answer.details.get("validationErrors", [])]
        ok(answer.status == 422 and answer.code == "InvalidSchedule" and
           any(p.startswith(place) for p in places) and says in answer.message, f"{body} is refused")
        if places and not any(p.startswith(place) for p in places):
            note(places)
    equal(api.post(AGENT, {"cronExpression": "@daily", "inputData": 1}).code, "InvalidInput",
          "the input must fit")
    equal(api.post(AGENT, {"cronExpression": "@daily", "version": "9.9.9"}).code, "VersionNotFound",
          "the version must be there")
    draft = api.agent("unpublished", publish=False)
    equal(api.post(f"/v1/agents/{draft['id']}/schedules", {"cronExpression": "@daily"}).code,
          "InvalidState", "a draft is not scheduled")
    made = [make("@daily") for _ in range(19)]
    equal(api.post(AGENT, {"cronExpression": "@daily"}).code, "OrganizationLimitExceeded",
          "[schedules] per_agent bounds them")
    for schedule in made:
        api.delete(path(schedule))
    reader = api.with_token(api.post("/v1/tokens", {"name": "r", "scopes": ["agents:read"]}).json["token"])
    equal(reader.post(AGENT, {"cronExpression": "@daily"}).details["requiredScope"], "agents:write",
          "making one needs agents:write")
    equal(reader.post(path(looked, "/run")).details["requiredScope"], "agents:execute",
          "running one needs agents:execute")
    equal(reader.get(path(looked)).status, 200, "agents:read sees")


def test_preview():
    body = {"cronExpression": "30 2 * * *", "timezone": "Europe/Berlin", "from": "2026-03-28T12:00:00Z",
            "count": 2}
    equal(api.post("/v1/schedules/preview", body).json["runs"],
          [{"scheduledFor": "2026-03-29T01:00:00.000000Z", "local": "2026-03-29T03:00:00+02:00"},
           {"scheduledFor": "2026-03-30T00:30:00.000000Z", "local": "2026-03-30T02:30:00+02:00"}],
          "an expression is tried without saving it")
    equal(api.post("/v1/schedules/preview", {"cronExpression": "x"}).code, "InvalidSchedule", "or refused")
    equal(len(api.get(path(looked, "/preview?count=3")).json["runs"]), 3, "also of a paused schedule")
    jittery = make("0 0 * * *", jitterMs=3600000)
    seen = api.get(path(jittery, "/preview")).json["runs"]
    ok(all(r["scheduledFor"] <= r["startsAt"] for r in seen) and
       len({r["startsAt"][14:] for r in seen}) > 5, "jitter differs from day to day")
    equal(seen[0]["startsAt"], jittery["nextExecutionAt"], "and is foretold")
    remove(jittery)


def test_runs_on_time():
    clock.before_minute(1)
    schedule = make(inputData={"n": 7})
    looked_for = eventually(lambda: runs(schedule))
    execution = api.get(f"/v1/executions/{looked_for[0]['executionId']}").json
    equal((execution["inputData"], execution["executionContext"]["trigger"]["scheduleId"]),
          ({"n": 7}, schedule["id"]), "it is executed with its input")
    ok(eventually(lambda: runs(schedule)[0].get("executionStatus") == "completed"), "to its end")
    now = api.get(path(schedule)).json
    equal((now["lastOutcome"], looked_for[0]["scheduledFor"][17:]), ("started", "00.000000Z"),
          "on the minute")
    clock.shift(60)
    look()
    ok(eventually(lambda: len(runs(schedule)) == 2), "and again a minute later")
    by_hand = api.post(path(schedule, "/run"))
    equal((by_hand.status, by_hand.json["byHand"]), (202, True), "or by hand")
    equal(by_hand.headers["Location"], f"/v1/executions/{by_hand.json['executionId']}", "at once")
    equal([r["byHand"] for r in runs(schedule)], [True, False, False], "history has all")
    remove(schedule)
    equal(api.get(f"/v1/executions/{execution['id']}").status, 200, "executions stay")


def minutes(schedule, n):
    """n minutes pass, one by one."""
    for _ in range(n):
        before = len(runs(schedule))
        clock.shift(60)
        look()
        eventually(lambda: len(runs(schedule)) > before)


def statuses(schedule):
    return [r.get("executionStatus") for r in reversed(runs(schedule))]


def test_overlap_skip():
    schedule = make(of=slow)
    minutes(schedule, 2)
    equal(outcomes(schedule), ["started", "skipped"], "skip: one at a time")
    contains(runs(schedule)[0]["reason"], "has not ended", "and history says why")
    api.post(f"/v1/executions/{runs(schedule)[1]['executionId']}/cancel")
    ok(eventually(lambda: statuses(schedule)[0] == "cancelled"), "when it has ended")
    minutes(schedule, 1)
    equal(outcomes(schedule), ["started", "skipped", "started"], "the next one runs")
    end_all(schedule)


def end_all(schedule):
    api.delete(path(schedule))
    for e in api.get(f"/v1/executions?agentId={slow['id']}&status=running").json["items"]:
        api.post(f"/v1/executions/{e['id']}/cancel")


def test_overlap_allow():
    schedule = make(of=slow, overlapPolicy="allow")
    minutes(schedule, 2)
    equal(outcomes(schedule), ["started", "started"], "allow: side by side")
    ok(eventually(lambda: statuses(schedule) == ["running", "running"]), "both run")
    end_all(schedule)


def test_overlap_cancel():
    schedule = make(of=slow, overlapPolicy="cancelRunning")
    minutes(schedule, 2)
    ok(eventually(lambda: statuses(schedule) == ["cancelled", "running"]), "cancelRunning: the newest")
    end_all(schedule)


def test_overlap_queue():
    schedule = make(of=slow, overlapPolicy="queue")
    minutes(schedule, 4)
    equal(outcomes(schedule), ["started", "queued", "queued", "skipped"], "queue: up to [schedules] queue")
    contains(runs(schedule)[0]["reason"], "[schedules] queue", "and history names the setting")
    api.post(path(schedule, "/pause"))
    for n in range(2):
        api.post(f"/v1/executions/{runs(schedule)[3 - n]['executionId']}/cancel")
        if n == 0:
            api.post(path(schedule, "/resume"))
            ok(eventually(lambda: outcomes(schedule)[1] == "started"), "one follows the other")
    ok(eventually(lambda: outcomes(schedule)[2] == "started"), "in their order")
    end_all(schedule)


def down(seconds):
    equal(daemon.stop(), 0, "the daemon stops")
    clock.shift(seconds)
    daemon.start()
    globals()["api"] = daemon.api


def test_missed():
    made = {policy: make(missedRunPolicy=policy, overlapPolicy="allow") for policy in ("skip", "one", "all")}
    made["window"] = make(missedRunPolicy="all", overlapPolicy="allow", missedRunWindowMs=180000)
    clock.before_minute(30)
    look()
    eventually(lambda: all(runs(s) for s in made.values()))
    before = {policy: len(runs(s)) for policy, s in made.items()}
    down(600)
    clock_minute = [r["scheduledFor"] for r in runs(made["all"])]
    ok(eventually(lambda: len(runs(made["all"])) >= before["all"] + 10), "all: every one of ten minutes")
    equal(len(set(clock_minute)), len(clock_minute), "and none twice")
    new = {policy: list(reversed(runs(s)))[before[policy]:] for policy, s in made.items()}
    equal([(r["outcome"], r["missedCount"]) for r in new["skip"] if r["outcome"] != "started"],
          [("missed", 9)], "skip: nine are recorded as missed, the last one is on time")
    missed = [r for r in new["one"] if r["outcome"] == "missed"]
    ok(len(missed) == 1 and len([r for r in new["one"] if r["outcome"] == "started"]) == 1,
       "one: a single run for all")
    equal([r["outcome"] for r in new["window"]].count("started"), 3, "window: what is not too long ago")
    for schedule in made.values():
        remove(schedule)


def times(schedule):
    return sorted(r["scheduledFor"] for r in runs(schedule) if r["outcome"] == "started")


def test_clock_jumps():
    schedule = make(missedRunPolicy="all", overlapPolicy="allow")
    clock.before_minute(50)
    minutes(schedule, 2)
    first = times(schedule)
    clock.shift(-120)
    look()
    time.sleep(0.3)
    equal(times(schedule), first, "a clock set back repeats nothing")
    clock.shift(180)
    look()
    ok(eventually(lambda: len(times(schedule)) == len(first) + 1), "and when it has caught up, it goes on")
    clock.shift(3600)
    look()
    ok(eventually(lambda: len(times(schedule)) == len(first) + 61), "a clock set ahead loses nothing")
    clock.shift(-86400)
    look()
    ok(eventually(lambda: daemon.api.get(path(schedule)).json["nextExecutionAt"] <
                  times(schedule)[-1]), "a clock that was a day wrong is followed")
    before = times(schedule)
    clock.shift(60)
    look()
    ok(eventually(lambda: len(times(schedule)) == len(before) + 1), "with runs at once")
    equal(len(set(times(schedule))), len(times(schedule)), "each time once, whatever the clock did")
    remove(schedule)
    clock.shift(86400)


def test_crash():
    made = [make(missedRunPolicy="all", overlapPolicy="allow") for _ in range(8)]
    clock.before_minute(0.2)
    look()
    time.sleep(0.25)
    daemon.kill()
    daemon.start()
    globals()["api"] = daemon.api
    ok(eventually(lambda: all(any(r.get("executionStatus") == "completed" for r in runs(s)) for s in made)),
       "a crash while they start loses none")
    ok(all(len(times(s)) == len(set(times(s))) for s in made), "and repeats none")
    executions = [r["executionId"] for s in made for r in runs(s) if r["outcome"] == "started"]
    equal(len(executions), len(set(executions)), "each run has an execution of its own")
    for schedule in made:
        remove(schedule)


def test_failures():
    schedule = make()
    api.patch(f"/v1/agents/{agent['id']}", {"inputSchema": {"type": "integer"}})
    version = api.post(f"/v1/agents/{agent['id']}/versions", {}).json["version"]
    api.post(f"/v1/agents/{agent['id']}/versions/{version}/publish")
    minutes(schedule, 1)
    failed = runs(schedule)[0]
    equal((failed["outcome"], failed.get("errorCode")), ("failed", "InvalidInput"),
          "a run whose input fits no more fails, and history says why")
    ok(api.get(path(schedule)).json["isActive"], "the schedule goes on")
    remove(schedule)


def test_trigger():
    config = {"triggerMode": "scheduled", "triggerConfig": {
        "cronExpression": "15 6 * * *", "timezone": "Australia/Sydney", "inputData": {"x": 1}}}
    bad = api.post("/v1/agents", {"name": "bad", "triggerMode": "scheduled",
                                  "triggerConfig": {"cronExpression": "x", "isActive": True}})
    places = {e["path"] for e in bad.details["validationErrors"]}
    equal(places, {"/triggerConfig/cronExpression", "/triggerConfig/isActive"}, "triggerConfig is checked")
    equal(api.post("/v1/agents", {"name": "bad", "triggerMode": "scheduled"}).code, "InvalidAgentConfig",
          "and must be there")
    timed = api.lua_agent("timed", ECHO, **config)
    where = f"/v1/agents/{timed['id']}/schedules"
    one, = api.get(where).json["items"]
    equal((one["origin"], one["timezone"], one["inputData"]), ("agent", "Australia/Sydney", {"x": 1}),
          "publishing makes the schedule")
    equal(api.patch(path(one), {"cronExpression": "@daily"}).code, "InvalidState", "which is the agent's")
    equal(api.delete(path(one)).code, "InvalidState", "to keep")
    equal(api.post(path(one, "/pause")).json["isActive"], False, "but may be paused")

    def publish(patch):
        api.patch(f"/v1/agents/{timed['id']}", patch)
        version = api.post(f"/v1/agents/{timed['id']}/versions", {}).json["version"]
        equal(api.post(f"/v1/agents/{timed['id']}/versions/{version}/publish").status, 200, "published")
        return api.get(where).json["items"]

    changed, = publish({"triggerConfig": {"cronExpression": "@hourly"}})
    equal((changed["id"], changed["cronExpression"], changed["isActive"]), (one["id"], "@hourly", False),
          "another version changes it, and it stays paused")
    equal(publish({"triggerMode": "manual"}), [], "a manual one takes it away")


def test_archive():
    last = api.lua_agent("last", ECHO)
    schedule = make(of=last)
    equal(api.post(f"/v1/agents/{last['id']}/archive").status, 200, "an agent is archived")
    now = api.get(path(schedule)).json
    ok(not now["isActive"] and "nextExecutionAt" not in now, "and its schedules are paused")
    equal(api.post(path(schedule, "/resume")).code, "InvalidState", "for good")


run(globals(), daemon)
