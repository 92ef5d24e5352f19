#!/bin/sh
# tidy.sh "DIR:WALLS …": clang-tidy over each room with that room's include path only.
set -eu
status=0
for room in $1; do
    dir=${room%%:*} walls=${room##*:}
    ls "$dir"/*.c > /dev/null 2>&1 || continue
    clang-tidy --quiet "$dir"/*.c -- -std=gnu11 -D_GNU_SOURCE -I"$walls" -DC9_VERSION='""' -DC9_SYSCONFDIR='""' \
        -DC9_STATEDIR='""' -DC9_LIBEXECDIR='""' -DC9_PLUGINDIR='""' -DC9_SKILLDIR='""' \
        $(pkg-config --cflags lua5.4 jansson libmicrohttpd) || status=1
done
exit $status
