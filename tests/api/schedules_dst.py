#!/usr/bin/python3
"""Daylight saving time: the times that c9d foretells, against a calculation of our own, minute by minute, with
Python's zoneinfo and the words of Debian's cron(8)."""
import datetime
import functools
import os
import random
import sys
import zoneinfo

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import Daemon, note, ok, run  # noqa: E402

daemon = Daemon()
UTC = datetime.timezone.utc
MINUTE = datetime.timedelta(minutes=1)
# A few days around each change of 2026 and one far ahead; a zone without any, and one that was given up.
ZONES = {
    "America/New_York": ["2026-03-08", "2026-11-01", "2071-03-08"],
    "Europe/Berlin": ["2026-03-29", "2026-10-25", "2071-10-25"],
    "Australia/Sydney": ["2026-04-05", "2026-10-04"],
    "Australia/Lord_Howe": ["2026-04-05", "2026-10-04", "2070-10-05"],
    "Asia/Tokyo": ["2026-03-29"],
    "America/Sao_Paulo": ["2018-11-04", "2019-02-17"],
    "Africa/Casablanca": ["2026-02-15", "2026-03-22"],
    "America/St_Johns": ["2026-03-08", "2026-11-01"],
    "Antarctica/Troll": ["2026-03-29", "2026-10-25"],
    # Corrections: three hours back, and a day that was left out.
    "Antarctica/Casey": ["2010-03-05"],
    "Pacific/Apia": ["2011-12-30"],
}
EXPRESSIONS = ["30 2 * * *", "0 2 * * *", "0 3 * * *", "15,45 1-3 * * *", "*/20 * * * *", "*/20 2 * * *", "5 */2 * * *",
               "0 0 * * *", "59 23 * * *", "10 0-23 * * *", "0 1 * * sun", "30 2 1-7 * 0", "@hourly"]


def numbers(field, low, high):
    found = set()
    for item in field.split(","):
        item, _, step = item.partition("/")
        first, _, last = item.partition("-")
        if item == "*":
            first, last = low, high
        found |= set(range(int(first), int(last or first) + 1, int(step or 1)))
    return found


def parse(expression):
    expression = {"@hourly": "0 * * * *"}.get(expression, expression).replace("sun", "0")
    m, h, d, mon, w = expression.split()
    either = d[0] != "*" and w[0] != "*"
    sets = [numbers(m, 0, 59), numbers(h, 0, 23), numbers(d, 1, 31), numbers(mon, 1, 12),
            {n % 7 for n in numbers(w, 0, 7)}]
    return sets, m[0] == "*" or h[0] == "*", either


def fits(cron, t):
    (minutes, hours, days, months, weekdays), _, either = cron
    by = (t.day in days, t.isoweekday() % 7 in weekdays)
    return (t.minute in minutes and t.hour in hours and t.month in months and
            (any(by) if either else all(by)))


@functools.lru_cache(maxsize=2)
def clock(zone, begin, end):
    """Every minute: UTC, and what the local clock shows."""
    zone, n = zoneinfo.ZoneInfo(zone), int((end - begin) / MINUTE)
    return [(t, t.astimezone(zone).replace(tzinfo=None)) for t in (begin + i * MINUTE for i in range(n + 1))]


def brute(expression, zone, begin, end):
    """Minute by minute, as the daemon of cron(8) lives: `seen` is how far the local clock has come."""
    cron = parse(expression)
    wild = cron[1]
    found = []
    (_, before), *ticks = clock(zone, begin, end)
    seen = before
    for at, local in ticks:
        jump = local - before - MINUTE
        if abs(jump) >= datetime.timedelta(hours=3):
            seen = before = local - MINUTE  # a correction: the new time is used at once
        if wild:
            due = fits(cron, local)
        else:
            due = False
            while seen < local:  # what was skipped comes now; what is repeated was seen
                seen += MINUTE
                due = due or fits(cron, seen)
        before = local
        if due:
            found.append(at.strftime("%Y-%m-%dT%H:%M:%S.000000Z"))
    return found


def foretold(expression, zone, begin, end):
    found, start = [], begin.strftime("%Y-%m-%dT%H:%M:%SZ")
    last = end.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    while True:
        answer = daemon.api.post("/v1/schedules/preview", {
            "cronExpression": expression, "timezone": zone, "from": start, "count": 200})
        times = [r["scheduledFor"] for r in answer.json["runs"]]
        found += [t for t in times if t <= last]
        if not times or times[-1] > last:
            return found
        start = times[-1]


def compare(zone, day, expressions):
    middle = datetime.datetime.fromisoformat(day).replace(tzinfo=UTC)
    begin, end = (middle + datetime.timedelta(days=d) for d in (-1.5, 2))
    wrong = [e for e in expressions
             if foretold(e, zone, begin, end) != brute(e, zone, begin, end)]
    if not ok(not wrong, f"{zone} around {day}: {len(expressions)} expressions"):
        for e in wrong[:3]:
            note(f"{e}: got {foretold(e, zone, begin, end)}")
            note(f"{e}: want {brute(e, zone, begin, end)}")


def test_changes():
    for zone, days in ZONES.items():
        for day in days:
            compare(zone, day, EXPRESSIONS)


def random_expression(dice):
    def field(low, high):
        kind = dice.randrange(4)
        a, b = sorted(dice.randint(low, high) for _ in "ab")
        return ["*", f"{a}", f"{a}-{b}/{dice.randint(1, 7)}", f"*/{dice.randint(2, 7)}"][kind]
    return f"{field(0, 59)} {field(0, 5)} {field(1, 31)} * {field(0, 6)}"


def test_random_expressions():
    dice = random.Random(7)
    for zone in ("Europe/Berlin", "Australia/Lord_Howe"):
        compare(zone, ZONES[zone][0], [random_expression(dice) for _ in range(12)])
        compare(zone, ZONES[zone][1], [random_expression(dice) for _ in range(12)])


run(globals(), daemon)
