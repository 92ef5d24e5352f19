#!/bin/sh
# coverage.sh BUILD: lines covered, file by file.
set -eu
cd "$1"
find . -name '*.gcda' -not -path './tests/*' | while read -r f; do
    gcov -n -o "$(dirname "$f")" "$f" 2> /dev/null
done | awk -F"'" '/^File/ { file = $2 } /^Lines executed/ { if (file !~ /^\/usr/) print file ": " $0 }' |
    sed 's/Lines executed://' | sort -u
