#!/bin/sh
# Every figure beside its reference, in one table. `make bench` calls this; C9_BUILD is the build folder.
# Words select rows: tests/bench/run.sh executions memory
set -eu
exec /usr/bin/python3 "$(dirname "$0")/figures.py" "$@"
