#!/bin/sh
# run.sh FOLDER SECONDS: every libFuzzer target for so long, from its corpus; findings stay in build/fuzz/findings.
set -eu
folder=$1 seconds=$2
mkdir -p build/fuzz/findings
for target in "$folder"/*; do
    [ -x "$target" ] && [ ! -d "$target" ] || continue
    case $target in *.o | *.d) continue ;; esac
    name=$(basename "$target")
    echo "== $name" >&2
    mkdir -p "build/fuzz/corpus/$name"
    "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 -verbosity=0 \
        -artifact_prefix="build/fuzz/findings/$name-" "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name"
done
echo "no findings" >&2
