#!/usr/bin/python3
"""docs/specification.md: what it says is where, is there."""
import os
import re
import sqlite3
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from c9test import DOCUMENT, ROOT, Daemon, equal, ok, run  # noqa: E402

daemon = Daemon()
SCHEMAS = DOCUMENT.json["components"]["schemas"]
OPERATIONS = {operation["operationId"] for _, _, _, item in DOCUMENT.routes
              for method, operation in item.items() if method != "parameters"}
with open(os.path.join(ROOT, "docs", "specification.md"), encoding="utf-8") as f:
    TEXT = f.read()


def rows(title):
    """Cells of the table below a heading, without the heading of the table."""
    section = TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.split("\n") if line.startswith("|")]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    ok(found, f"{title}: there are rows")
    return found


def quoted(cell):
    return re.findall(r"`([^`]+)`", cell)


def members(schema):
    """Names of the members, also of objects in it."""
    for name, value in schema.get("properties", {}).items():
        yield name
        yield from members(value)


def test_services():
    for specified, operation, _ in rows("Services"):
        ok(operation == "–" or set(quoted(operation)) <= OPERATIONS, f"{specified}: {operation}")


def test_shapes():
    for specified, schema, names in rows("Shapes"):
        if schema != "–":
            have = set(members(SCHEMAS[quoted(schema)[0]]))
            equal([n for n in names.split(", ") if n not in have], [], f"{specified} has all its members")


def test_tables():
    database = sqlite3.connect(f"file:{daemon.folder}/state/c9d.db?mode=ro", uri=True)
    for table, names in rows("Tables"):
        have = {row[1] for row in database.execute(f"PRAGMA table_info({quoted(table)[0]})")}
        equal([n for n in names.split(", ") if n not in have], [], f"{table} has all its columns")
    database.close()


def test_errors():
    with open(os.path.join(ROOT, "core", "base", "errors.def"), encoding="utf-8") as errors:
        known = dict(re.findall(r'^ERROR\(\w+, "(\w+)", (\d+)', errors.read(), re.M))
    for name, status, _ in rows("Errors"):
        equal(known.get(name), status, f"{name} is {status}")


def test_the_rest():
    for _, _, by in rows("States"):
        ok(quoted(by) and set(quoted(by)) <= OPERATIONS, f"{by} is there")
    for title in ("What belongs to agents, versions and people", "What belongs to executions"):
        for what, where, tests in rows(title):
            ok(set(quoted(where)) <= OPERATIONS, f"{what}: {where}")
            ok(all(os.path.exists(os.path.join(ROOT, path)) for path in tests.split(", ")), f"shown by {tests}")


run(globals(), daemon)
