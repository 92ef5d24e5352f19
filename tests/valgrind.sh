#!/bin/sh
# valgrind.sh TEST…: each C test under valgrind; a leak or an error fails it.
set -u
status=0
for test in "$@"; do
    if valgrind -q --suppressions="$(dirname "$0")/valgrind.supp" --error-exitcode=99 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
        "$test" > /tmp/valgrind.$$ 2>&1; then
        echo "ok - $(basename "$test")"
    else
        echo "not ok - $(basename "$test")"
        sed 's/^/# /' /tmp/valgrind.$$ | tail -40
        status=1
    fi
done
rm -f /tmp/valgrind.$$
exit $status
