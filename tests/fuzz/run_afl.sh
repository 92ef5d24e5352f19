#!/bin/sh
# run_afl.sh FOLDER SECONDS TARGET…: AFL++ on each target for so long, from its corpus; findings stay in build/afl/findings.
# It needs no change of the machine's settings: not of where cores go, nor of how the processor is clocked.
set -eu
folder=$1 seconds=$2
shift 2
export AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_UI=1 AFL_NO_AFFINITY=1 \
    ASAN_OPTIONS=abort_on_error=1:detect_leaks=0:symbolize=0
found=0
for name in "$@"; do
    out=build/afl/findings/$name
    rm -rf "$out"
    mkdir -p "$out"
    echo "== $name" >&2
    afl-fuzz -i "tests/fuzz/corpus/$name" -o "$out" -m none -t 2000 -V "$seconds" -- "$folder/$name" > "$out/log" 2>&1 ||
        { tail -5 "$out/log" >&2; exit 1; }
    sed -n 's/^\(execs_done\|edges_found\|saved_crashes\|saved_hangs\) *: /   \1 /p' "$out/default/fuzzer_stats" >&2
    grep -q '^saved_crashes *: 0$' "$out/default/fuzzer_stats" || found=1
done
[ $found = 0 ] && echo "no findings" >&2
exit $found
