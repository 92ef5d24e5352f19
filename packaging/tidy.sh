#!/bin/sh
# tidy.sh "DIR:WALLS …": clang-tidy over each file with its room's include path only; any warning fails.
# As many at a time as there are processors.
set -eu
flags="-std=gnu11 -D_GNU_SOURCE $(pkg-config --cflags lua5.4 jansson libmicrohttpd sqlite3)"
for name in VERSION SYSCONFDIR STATEDIR LIBEXECDIR PLUGINDIR SKILLDIR; do
    flags="$flags -DC9_$name=\"\""
done
for room in $1; do
    find "${room%%:*}" -maxdepth 1 -name '*.c' | sort | sed "s|\$| ${room##*:}|"
done | xargs -P "$(nproc)" -L 1 sh -c 'exec clang-tidy --quiet --warnings-as-errors="*" "$1" -- -I"$2" $0' "$flags"
