#!/bin/sh
# valgrind.sh TEST…: each C test under valgrind; a leak or an error fails it.
set -eu
here=$(dirname "$0")
C9_VALGRIND=1 exec prove --timer -j2 --exec "timeout -k 10 1800 valgrind -q --suppressions=$here/valgrind.supp --error-exitcode=99
    --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite" "$@"
